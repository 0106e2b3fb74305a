import { type Network, paramStoreAbi, type SpendingGrant, spendingGrantsAbi } from '@assay/protocol'
import type { BatchView, GrantAccount, SettledRow } from '@assay/verify'
import { type Address, type Hex, type PublicClient, stringToHex } from 'viem'

export type KnownGrant = { id: Hex; grant: SpendingGrant; account: GrantAccount }

/** What the deposit of a grant holds and held, at a block; all zero for one that was never opened. */
export async function readGrantAccount(
  client: PublicClient,
  network: Network,
  grantId: Hex,
  blockNumber?: bigint | undefined,
): Promise<GrantAccount> {
  const [funded, spent, revokedAt, opened] = await client.readContract({
    address: network.contracts.SpendingGrants,
    abi: spendingGrantsAbi,
    functionName: 'account',
    args: [grantId],
    ...(blockNumber === undefined ? {} : { blockNumber }),
  })
  return { funded, spent, revokedAt, opened }
}

/**
 * A grant as its opening told it, and its account; undefined where the chain saw no opening up to the block. Terms are
 * hashed into the id, so they are read once.
 */
export async function readGrant(
  client: PublicClient,
  network: Network,
  grantId: Hex,
  blockNumber?: bigint | undefined,
): Promise<KnownGrant | undefined> {
  const account = await readGrantAccount(client, network, grantId, blockNumber)
  if (!account.opened) return undefined
  const grant = await termsOf(client, network, grantId)
  return grant === undefined ? undefined : { id: grantId, grant, account }
}

/** Grants that a payer opened with any gateway, oldest first. */
export async function readGrantsOf(
  client: PublicClient,
  network: Network,
  payer: Address,
): Promise<KnownGrant[]> {
  const opened = await client.getContractEvents({
    address: network.contracts.SpendingGrants,
    abi: spendingGrantsAbi,
    eventName: 'GrantOpened',
    args: { payer },
    fromBlock: 'earliest',
    strict: true,
  })
  return Promise.all(
    opened.map(async ({ args }) => ({
      id: args.grantId,
      grant: args.grant,
      account: await readGrantAccount(client, network, args.grantId),
    })),
  )
}

/** How and when a grant ended by a moment; undefined for one that still stands then. Unix seconds. */
export function endOfGrant(
  { expiry }: SpendingGrant,
  { revokedAt }: GrantAccount,
  now: bigint,
): { how: 'revoked' | 'expired'; at: bigint } | undefined {
  // To revoke what has expired changes nothing.
  if (revokedAt !== 0n && revokedAt < expiry) return { how: 'revoked', at: revokedAt }
  if (expiry <= now) return { how: 'expired', at: expiry }
  return undefined
}

/** From when on what a deposit still holds can be taken back, of a grant that ended at a time; Unix seconds. */
export async function readWithdrawableAt(
  client: PublicClient,
  network: Network,
  endedAt: bigint,
): Promise<bigint> {
  const wait = await client.readContract({
    address: network.contracts.ParamStore,
    abi: paramStoreAbi,
    functionName: 'getAt',
    args: [stringToHex('DEPOSIT_WITHDRAWAL', { size: 32 }), endedAt],
  })
  return endedAt + wait
}

/** What was taken back out of each of a payer's deposits, OPG base units; of those that are not named: nothing. */
export async function readWithdrawals(
  client: PublicClient,
  network: Network,
  payer: Address,
): Promise<ReadonlyMap<Hex, bigint>> {
  const withdrawn = await client.getContractEvents({
    address: network.contracts.SpendingGrants,
    abi: spendingGrantsAbi,
    eventName: 'GrantWithdrawn',
    args: { payer },
    fromBlock: 'earliest',
    strict: true,
  })
  const amounts = new Map<Hex, bigint>()
  for (const { args } of withdrawn) {
    amounts.set(args.grantId, (amounts.get(args.grantId) ?? 0n) + args.amount)
  }
  return amounts
}

/** What deposits paid for rows of one final batch under one grant. */
export async function readSettledRows(
  client: PublicClient,
  network: Network,
  { batchId, committedBlock }: Pick<BatchView, 'batchId' | 'committedBlock'>,
  grantId?: Hex | undefined,
): Promise<(SettledRow & { grantId: Hex; transactionHash: Hex })[]> {
  const events = await client.getContractEvents({
    address: network.contracts.SpendingGrants,
    abi: spendingGrantsAbi,
    eventName: 'RowSettled',
    args: { batchId, ...(grantId === undefined ? {} : { grantId }) },
    fromBlock: committedBlock,
    strict: true,
  })
  return events.map(({ args, transactionHash }) => ({
    grantId: args.grantId,
    modelId: args.modelId,
    node: args.node,
    price: args.price,
    unpaid: args.unpaid,
    transactionHash,
  }))
}

const MAX_TERMS = 1024
const terms = new Map<Hex, SpendingGrant>()

async function termsOf(
  client: PublicClient,
  network: Network,
  grantId: Hex,
): Promise<SpendingGrant | undefined> {
  const known = terms.get(grantId)
  if (known !== undefined) return known
  const [opened] = await client.getContractEvents({
    address: network.contracts.SpendingGrants,
    abi: spendingGrantsAbi,
    eventName: 'GrantOpened',
    args: { grantId },
    fromBlock: 'earliest',
    strict: true,
  })
  if (opened === undefined) return undefined
  if (terms.size >= MAX_TERMS) terms.clear()
  terms.set(grantId, opened.args.grant)
  return opened.args.grant
}

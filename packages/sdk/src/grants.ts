import { createSender, publicClientOf, readGrantAccount, readGrantsOf } from '@assay/chain'
import {
  apiKeyDigest,
  apiKeyHash,
  apiKeyOf,
  deploymentOf,
  grantIdOf,
  grantToJson,
  type Network,
  opgAbi,
  type SpendingGrant,
  signDigest,
  spendingGrantsAbi,
} from '@assay/protocol'
import { type Address, bytesToBigInt, type Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { SdkError } from './errors.ts'
import { gatewayError } from './gatewayError.ts'
import {
  mustBeRevocable,
  mustGiveBack,
  mustPayForCalls,
  mustTakeDeposit,
  mustTakeKey,
} from './grantRefusals.ts'
import { jsonObjectIn } from './jsonObject.ts'
import { readBounded } from './limits.ts'

export type OpenGrantParameters = {
  network: Network
  /** Payer's key. */
  privateKey: Hex
  /** Most that may ever be spent, most for one call, most for the calls of any hour (0 = no limit); OPG base units. */
  maxTotal: bigint
  maxPerCall: bigint
  ratePerHour?: bigint | undefined
  /** Models and nodes that may serve; none = any. */
  models?: readonly Hex[] | undefined
  nodes?: readonly Address[] | undefined
  /** Unix seconds. */
  expiry: bigint
  /** Paid in at once, OPG base units. */
  deposit: bigint
  /** Told of the allowance, where one was given. */
  onAllowed?: OnAllowed | undefined
}

/** Told the transaction by which the contract may take a deposit: it stands, whatever becomes of the deposit. */
export type OnAllowed = (transactionHash: Hex) => void

export type OpenedGrant = { grantId: Hex; grant: SpendingGrant; transactionHash: Hex }

/**
 * Opens a grant for the network's gateway and pays a deposit in: two transactions of the payer, the first of them an
 * allowance where the last one does not reach.
 * @throws SdkError `bad_input` for limits under which no call could be paid, `payment_required` where the payer holds less
 * than the deposit; AssayError where the chain refuses or is away
 */
export async function openGrant(parameters: OpenGrantParameters): Promise<OpenedGrant> {
  const { network, privateKey, deposit, maxTotal, maxPerCall, expiry } = parameters
  const { ratePerHour = 0n, models = [], nodes = [] } = parameters
  mustPayForCalls({ maxTotal, maxPerCall, deposit })
  const payer = privateKeyToAddress(privateKey).toLowerCase() as Address
  const gateway = network.gateway.toLowerCase() as Address
  const nonce = bytesToBigInt(crypto.getRandomValues(new Uint8Array(32)))
  const limits = { maxTotal, maxPerCall, ratePerHour, models, nodes }
  const grant: SpendingGrant = { payer, gateway, ...limits, expiry, nonce }
  const sender = createSender({ network, privateKey })
  await allow(network, privateKey, deposit, parameters.onAllowed)
  const { transactionHash } = await sender.send({
    address: network.contracts.SpendingGrants,
    abi: spendingGrantsAbi,
    functionName: 'open',
    // The payer itself opens, so the contract needs no signature, and none lies in the open for others to use.
    args: [grant, '0x', deposit],
  })
  return { grantId: grantIdOf(grant, deploymentOf(network)), grant, transactionHash }
}

/**
 * Pays more into a grant, up to its `maxTotal`.
 * @throws SdkError `bad_input` where that is exceeded, `grant_not_open` | `grant_revoked` | `grant_expired`, `payment_required`
 */
export async function fundGrant(
  network: Network,
  privateKey: Hex,
  grant: SpendingGrant,
  amount: bigint,
  onAllowed?: OnAllowed | undefined,
): Promise<Hex> {
  await mustTakeDeposit(network, grant, amount)
  await allow(network, privateKey, amount, onAllowed)
  return call(network, privateKey, 'fund', [grant, amount])
}

/**
 * Ends a grant: its gateway and the nodes take no further calls, and what runs is still paid.
 * @throws SdkError `grant_revoked` | `grant_expired` where it has ended before
 */
export async function revokeGrant(network: Network, privateKey: Hex, grant: SpendingGrant): Promise<Hex> {
  await mustBeRevocable(network, grant)
  return call(network, privateKey, 'revoke', [grant])
}

/**
 * Sends what is left back to the payer, once DEPOSIT_WITHDRAWAL has passed since the end of the grant.
 * @throws SdkError `nothing_left` | `not_due`
 */
export async function withdrawGrant(network: Network, privateKey: Hex, grant: SpendingGrant): Promise<Hex> {
  await mustGiveBack(network, grant)
  return call(network, privateKey, 'withdraw', [grant])
}

/** The grants of a payer, newest first, from the chain alone. */
export async function listGrants(network: Network, payer: Address) {
  return (await readGrantsOf(publicClientOf(network), network, payer)).reverse()
}

/** What the chain holds of a grant. */
export function grantAccount(network: Network, grantId: Hex) {
  return readGrantAccount(publicClientOf(network), network, grantId)
}

/**
 * Makes a key under an open grant and tells the gateway its hash, under the payer's signature. The key is returned here
 * and exists nowhere else.
 * @throws SdkError `grant_revoked` | `grant_expired`, `gateway_error` | `unreachable`
 */
export async function createApiKey(network: Network, privateKey: Hex, grant: SpendingGrant): Promise<string> {
  await mustTakeKey(network, grant)
  const key = apiKeyOf(crypto.getRandomValues(new Uint8Array(32)))
  await stateKey(network, privateKey, grant, { keyHash: apiKeyHash(key), allowed: true })
  return key
}

/** Takes a key back, for good. @throws SdkError `gateway_error` | `unreachable` */
export async function revokeApiKey(
  network: Network,
  privateKey: Hex,
  grant: SpendingGrant,
  keyHash: Hex,
): Promise<void> {
  await stateKey(network, privateKey, grant, { keyHash, allowed: false })
}

/** A call under a grant as its gateway counts it. */
export type GrantCallRecord = {
  counter: bigint
  requestId: Hex
  /** `forwarded`: under way, `finished`: answered, `failed` and `released`: cost nothing. */
  state: string
  /** OPG base units. */
  amount: bigint
  /** Whether the deposit has paid it. */
  settled: boolean
  /** ISO 8601. */
  at: string
}

/**
 * Every call under a grant, newest first, as the gateway counts them. It hears of a grant with the first key under it,
 * and has taken no call before.
 * @throws SdkError `gateway_error`, with status 404 where it has not heard of the grant, or `unreachable`
 */
export async function readGrantCalls(network: Network, grantId: Hex): Promise<GrantCallRecord[]> {
  const calls: GrantCallRecord[] = []
  for (let before = ''; ; before = `?before=${calls.at(-1)?.counter}`) {
    const page = await askGateway(network, `/v1/grants/${grantId}/calls${before}`)
    const { calls: read, hasMore } = page as { calls?: unknown; hasMore?: unknown }
    if (!Array.isArray(read)) throw noRecord('there is no list of calls')
    for (const call of read.map(readCall)) {
      // Newest first, or a gateway could go on for ever.
      const last = calls.at(-1)
      if (last !== undefined && call.counter >= last.counter) throw noRecord('its calls come in no order')
      calls.push(call)
    }
    if (hasMore !== true || read.length === 0) return calls
  }
}

function readCall(value: unknown): GrantCallRecord {
  const call = (value ?? {}) as Record<string, unknown>
  const number = (name: string): bigint => {
    const text = String(call[name])
    if (!/^[0-9]{1,39}$/.test(text)) throw noRecord(`its ${name} is no number`)
    return BigInt(text)
  }
  return {
    counter: number('counter'),
    requestId: String(call.requestId) as Hex,
    state: String(call.state),
    amount: number('amount'),
    settled: call.settled === true,
    at: String(call.at),
  }
}

function noRecord(why: string): SdkError {
  return new SdkError('What the gateway tells of the grant cannot be read.', {
    code: 'gateway_error',
    facts: { why },
  })
}

async function stateKey(
  network: Network,
  privateKey: Hex,
  grant: SpendingGrant,
  { keyHash, allowed }: { keyHash: Hex; allowed: boolean },
): Promise<void> {
  const deployment = deploymentOf(network)
  const statement = { grantId: grantIdOf(grant, deployment), keyHash, allowed }
  const signature = await signDigest(apiKeyDigest(statement, deployment), privateKey)
  await askGateway(network, '/v1/grants', { grant: grantToJson(grant), keyHash, allowed, signature })
}

/** GET, or POST where there is a body; the answer's JSON. */
async function askGateway(network: Network, path: string, body?: object): Promise<unknown> {
  const response = await fetch(new URL(path, network.gatewayUrl), {
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(10_000),
  }).catch((cause: unknown) => {
    throw new SdkError('The gateway does not answer.', {
      code: 'unreachable',
      facts: { gateway: network.gatewayUrl },
      next: 'Start the network with: npm start',
      cause,
    })
  })
  if (!response.ok) throw await gatewayError(response)
  const value = jsonObjectIn(await readBounded(response, 'gateway_error', MAX_ANSWER_BYTES))
  if (value === undefined) throw noRecord('it is not a JSON object')
  return value
}

const MAX_ANSWER_BYTES = 256 * 1024

async function call(
  network: Network,
  privateKey: Hex,
  functionName: string,
  args: readonly unknown[],
): Promise<Hex> {
  const sender = createSender({ network, privateKey })
  const address = network.contracts.SpendingGrants
  return (await sender.send({ address, abi: spendingGrantsAbi, functionName, args })).transactionHash
}

/** Lets the contract take a deposit, where it may not yet. @throws SdkError `payment_required` */
async function allow(
  network: Network,
  privateKey: Hex,
  amount: bigint,
  onAllowed?: OnAllowed | undefined,
): Promise<void> {
  const { OPG, SpendingGrants } = network.contracts
  const payer = privateKeyToAddress(privateKey)
  const token = { address: OPG, abi: opgAbi } as const
  const client = publicClientOf(network)
  const [balance, allowance] = await Promise.all([
    client.readContract({ ...token, functionName: 'balanceOf', args: [payer] }),
    client.readContract({ ...token, functionName: 'allowance', args: [payer, SpendingGrants] }),
  ])
  // Said before an allowance is sent for nothing; the token's own refusal is one that the grants' contract does not name.
  if (balance < amount) {
    throw new SdkError('The wallet holds less than that.', {
      code: 'payment_required',
      facts: { payer, balance, amount },
      next: 'On a development network: assay wallet fund',
    })
  }
  if (allowance >= amount) return
  const sender = createSender({ network, privateKey })
  const approval = { ...token, functionName: 'approve', args: [SpendingGrants, amount] }
  const { transactionHash } = await sender.send(approval)
  onAllowed?.(transactionHash)
}

import {
  bondDevelopmentOperator,
  createSender,
  DEVELOPMENT_ROLES,
  developmentAccount,
  publicClientOf,
  type Sender,
} from '@assay/chain'
import {
  type Deployment,
  inferenceEscrowAbi,
  keyPossessionDigest,
  type Network,
  nodeBondAbi,
  opgAbi,
  signDigest,
  teeRegistryAbi,
} from '@assay/protocol'
import { type Address, type Hex, parseEther } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

/** What of a network its chain alone tells. */
export type ChainOnly = Pick<Network, 'chainId' | 'rpcUrl' | 'contracts' | 'deploymentId'>

export function deploymentAt({ chainId, contracts, deploymentId }: ChainOnly): Deployment {
  return { chainId, settlement: contracts.Settlement, deploymentId }
}

/** Accounts of the public development phrase from here on play whoever is not part of an honest network. */
export const FIRST_PLAYER = 30

export function senderOf(network: ChainOnly, index: number): Sender {
  return createSender({ network, privateKey: developmentAccount(index).privateKey })
}

const ETHER = parseEther('100')

/** Gives a development account ether and OPG (base units), and lets `spenders` take the latter. */
export async function outfit(
  network: ChainOnly,
  index: number,
  opg: bigint,
  spenders: readonly Address[] = [],
): Promise<Sender> {
  const bank = senderOf(network, DEVELOPMENT_ROLES.deployer)
  const player = senderOf(network, index)
  const token = { address: network.contracts.OPG, abi: opgAbi } as const
  const balance = await publicClientOf(network).getBalance({ address: player.address })
  await Promise.all([
    balance < ETHER ? bank.transferEther(player.address, ETHER) : undefined,
    opg > 0n ? bank.send({ ...token, functionName: 'transfer', args: [player.address, opg] }) : undefined,
  ])
  await Promise.all(
    spenders.map((spender) => player.send({ ...token, functionName: 'approve', args: [spender, opg] })),
  )
  return player
}

/** A bonded operator of its own, as a node or a committer; `url` is where it listens. */
export async function bondedOperator(network: ChainOnly, index: number, url: string): Promise<Sender> {
  const operator = await outfit(network, index, 0n)
  await bondDevelopmentOperator(network, { index, url })
  return operator
}

/** Registers a signing key that its operator's bond alone stands behind. */
export async function registerKey(network: ChainOnly, operator: Sender, privateKey: Hex): Promise<Address> {
  const key = privateKeyToAccount(privateKey).address.toLowerCase() as Address
  const digest = keyPossessionDigest({ node: operator.address, key }, deploymentAt(network))
  await operator.send({
    address: network.contracts.TeeRegistry,
    abi: teeRegistryAbi,
    functionName: 'registerBondedKey',
    args: [key, await signDigest(digest, privateKey)],
  })
  return key
}

/** Opens the operator's till, into which payers pay; `url` is where its batch files are looked for. */
export async function openTill(network: ChainOnly, operator: Sender, url: string): Promise<void> {
  await operator.send({
    address: network.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    functionName: 'openTill',
    args: [url],
  })
}

/** What an operator has bonded, OPG base units. */
export async function bondOf(network: ChainOnly, operator: Address): Promise<bigint> {
  const [bonded] = await publicClientOf(network).readContract({
    address: network.contracts.NodeBond,
    abi: nodeBondAbi,
    functionName: 'node',
    args: [operator],
  })
  return bonded
}

/**
 * What an operator has paid in fees for void batches: 1 % of what each held of others' coverage. It is no slash; who is
 * guilty of nothing has lost no more than this.
 */
export async function voidFeesOf(network: ChainOnly, committer: Address): Promise<bigint> {
  const charged = await publicClientOf(network).getContractEvents({
    address: network.contracts.NodeBond,
    abi: nodeBondAbi,
    eventName: 'VoidCharged',
    args: { committer },
    fromBlock: 0n,
    strict: true,
  })
  return charged.reduce((sum, { args }) => sum + args.amount, 0n)
}

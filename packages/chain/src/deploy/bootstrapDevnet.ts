import { type Contracts, nodeBondAbi, opgAbi, PERMIT2_ADDRESS, validatorStakingAbi } from '@assay/protocol'
import { type Address, type Hex, maxUint256, type PublicClient, parseEther } from 'viem'
import { DEVELOPMENT_ROLES, developmentAccount } from '../developmentAccounts.ts'
import { publicClientOf } from '../publicClient.ts'
import { createSender, type Sender } from '../sender/createSender.ts'
import { approveEnclaves, type EnclaveApproval } from './enclaveApproval.ts'

export type BootstrapOptions = {
  rpcUrl: string
  chainId: number
  contracts: Contracts
  /** Where the development node will listen. */
  nodeUrl: string
  /** Where the development gateway will listen. */
  gatewayUrl: string
  /** Where the three development validators will listen. */
  validatorUrls: readonly string[]
  /** Enclaves that must be accepted; those that are not yet are voted in, which takes twenty seconds. */
  approvals?: readonly EnclaveApproval[] | undefined
  /** The account that pays in demonstrations; a public development account by default. */
  demoKey?: Hex | undefined
  onProgress?: ((step: string) => void) | undefined
}

/** OPG base units. Enough that no demonstration runs dry, little enough that the numbers stay readable. */
const DEMO_OPG = parseEther('10000')
const OPERATOR_BOND = parseEther('1000')
const SELF_BOND = parseEther('1000')
/** What a validator can put up for demands of data that it cannot get; one takes about a tenth. */
const CHALLENGE_OPG = parseEther('100')

/**
 * Makes the development accounts ready to act: the node and the gateway bonded, the validators staked, the demo payer with OPG and
 * Permit2's approval. Looks at the chain first, so it can run at every start.
 * @throws AssayError as `createSender`'s calls do.
 */
export async function bootstrapDevnet(options: BootstrapOptions): Promise<void> {
  const { contracts, nodeUrl, gatewayUrl, validatorUrls, onProgress = () => undefined } = options
  const client = publicClientOf(options)
  const senderOf = (index: number) =>
    createSender({ network: options, privateKey: developmentAccount(index).privateKey })
  const bank = senderOf(DEVELOPMENT_ROLES.deployer)
  const demo =
    options.demoKey === undefined
      ? senderOf(DEVELOPMENT_ROLES.demo)
      : createSender({ network: options, privateKey: options.demoKey })
  onProgress('bonding the node and the gateway, staking the validators, funding the demo payer')
  // First, and alone: from then on a transfer of the bank also writes down votes, and what it costs is estimated before.
  await ownVotes({ client, bank, contracts })
  await Promise.all([
    bondOperator({ client, bank, operator: senderOf(DEVELOPMENT_ROLES.node), contracts, url: nodeUrl }),
    bondOperator({ client, bank, operator: senderOf(DEVELOPMENT_ROLES.gateway), contracts, url: gatewayUrl }),
    fundDemo({ client, bank, demo, contracts }),
    ...DEVELOPMENT_ROLES.validators.map((index, at) => {
      const url = validatorUrls[at] ?? nodeUrl
      return stakeValidator({ client, bank, validator: senderOf(index), contracts, url })
    }),
  ])
  await approveEnclaves(client, bank, { contracts }, options.approvals ?? [])
}

/** Bonds one more development account, as a gateway or a node of its own. @throws AssayError as `createSender`'s calls do */
export async function bondDevelopmentOperator(
  options: Pick<BootstrapOptions, 'rpcUrl' | 'chainId' | 'contracts'>,
  operator: { index: number; url: string },
): Promise<void> {
  const senderOf = (index: number) =>
    createSender({ network: options, privateKey: developmentAccount(index).privateKey })
  await bondOperator({
    client: publicClientOf(options),
    bank: senderOf(DEVELOPMENT_ROLES.deployer),
    contracts: options.contracts,
    operator: senderOf(operator.index),
    url: operator.url,
  })
}

type Common = { client: PublicClient; bank: Sender; contracts: Contracts }

/** Tokens vote only once they are delegated, be it to their owner: the bank decides a development network's votes. */
async function ownVotes({ client, bank, contracts }: Common): Promise<void> {
  const at = { address: contracts.OPG, abi: opgAbi } as const
  const delegate = await client.readContract({ ...at, functionName: 'delegates', args: [bank.address] })
  if (delegate === bank.address) return
  await bank.send({ ...at, functionName: 'delegate', args: [bank.address] })
}

/** A node's bond stands behind its answers, a gateway's behind its batches. */
async function bondOperator({
  client,
  bank,
  contracts,
  operator,
  url,
}: Common & { operator: Sender; url: string }): Promise<void> {
  const at = { address: contracts.NodeBond, abi: nodeBondAbi } as const
  const [, , , , registered] = await client.readContract({
    ...at,
    functionName: 'node',
    args: [operator.address],
  })
  // Where it is registered under another URL the operator itself corrects that when it starts.
  if (registered) return
  await provide({
    client,
    bank,
    contracts,
    owner: operator,
    spender: contracts.NodeBond,
    amount: OPERATOR_BOND,
  })
  await operator.send({ ...at, functionName: 'register', args: [url, OPERATOR_BOND] })
}

async function stakeValidator(parameters: Common & { validator: Sender; url: string }): Promise<void> {
  const { client, bank, contracts, validator, url } = parameters
  const at = { address: contracts.ValidatorStaking, abi: validatorStakingAbi } as const
  if ((await client.readContract({ ...at, functionName: 'stakeOf', args: [validator.address] })) > 0n) return
  await provide({
    client,
    bank,
    contracts,
    owner: validator,
    spender: contracts.ValidatorStaking,
    amount: SELF_BOND,
  })
  await validator.send({ ...at, functionName: 'register', args: [url, SELF_BOND] })
  await topUp({ client, bank, contracts, to: validator.address, amount: CHALLENGE_OPG })
}

/**
 * Gives the demo payer its money, once: what it has spent since stays spent, for whoever tries what a client does without
 * money. Permit2's approval comes behind the money, and so says that it was given.
 */
async function fundDemo({ client, bank, contracts, demo }: Common & { demo: Sender }): Promise<void> {
  const at = { address: contracts.OPG, abi: opgAbi } as const
  const args = [demo.address, PERMIT2_ADDRESS] as const
  const allowance = await client.readContract({ ...at, functionName: 'allowance', args })
  if (allowance >= DEMO_OPG) return
  await topUp({ client, bank, contracts, to: demo.address, amount: DEMO_OPG })
  await demo.send({ ...at, functionName: 'approve', args: [PERMIT2_ADDRESS, maxUint256] })
}

/** Sees to it that `owner` has `amount` OPG and lets `spender` take it. */
async function provide(
  parameters: Common & { owner: Sender; spender: Address; amount: bigint },
): Promise<void> {
  const { client, bank, contracts, owner, spender, amount } = parameters
  await Promise.all([
    topUp({ client, bank, contracts, to: owner.address, amount }),
    owner.send({ address: contracts.OPG, abi: opgAbi, functionName: 'approve', args: [spender, amount] }),
  ])
}

async function topUp({
  client,
  bank,
  contracts,
  to,
  amount,
}: Common & { to: Address; amount: bigint }): Promise<void> {
  const at = { address: contracts.OPG, abi: opgAbi } as const
  const balance = await client.readContract({ ...at, functionName: 'balanceOf', args: [to] })
  if (balance < amount) await bank.send({ ...at, functionName: 'transfer', args: [to, amount - balance] })
}

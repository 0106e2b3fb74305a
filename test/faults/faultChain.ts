/** A chain with every contract, a committer, a node whose key its bond stands behind, and what they sign and commit. */
import {
  createSender,
  DEVELOPMENT_ROLES,
  type DeployedDevnetOptions,
  developmentAccount,
  type Sender,
  startDeployedDevnet,
} from '@assay/chain'
import {
  attestationDigest,
  type Batch,
  type BatchEntry,
  buildBatch,
  deploymentOf,
  faultManagerAbi,
  type GroupHeader,
  grantIdOf,
  grantRequestId,
  groupHeaders,
  inferenceEscrowAbi,
  modelRegistryAbi,
  nodeBondAbi,
  opgAbi,
  type Receipt,
  type SpendingGrant,
  settlementAbi,
  signDigest,
  spendingGrantsAbi,
  VERDICT,
} from '@assay/protocol'
import { type Address, type Hex, parseEther, toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { bondOf, openTill, registerKey } from './operators.ts'
import { payInto } from './payments.ts'
import { draftReceipt, signReceipt } from './receipts.ts'

export const BOND = parseEther('1000')
export const PRICE = { perCall: parseEther('1'), inputPrice: 0n, outputPrice: parseEther('1') }
const MODEL = toHex('model', { size: 32 })
export const KEY = developmentAccount(17).privateKey
export const ROGUE = developmentAccount(18).privateKey
const lower = (address: Address) => address.toLowerCase() as Address
const addressOf = (key: Hex) => lower(privateKeyToAccount(key).address)

export type FaultChain = Awaited<ReturnType<typeof startFaultChain>>

/** @param folder holds the chain. */
export async function startFaultChain(
  folder: string,
  places: Pick<DeployedDevnetOptions, 'nodeUrl' | 'gatewayUrl' | 'terms'> = {},
) {
  const { devnet, network, client } = await startDeployedDevnet(folder, { terms: 'unhurried', ...places })
  const { contracts } = network
  const deployment = deploymentOf(network)
  const role = (name: 'deployer' | 'gateway' | 'node' | 'demo' | 'publisher' | 'treasury') =>
    developmentAccount(DEVELOPMENT_ROLES[name])
  const senderOf = (privateKey: Hex): Sender => createSender({ network, privateKey })
  const bank = senderOf(role('deployer').privateKey)
  const committer = senderOf(role('gateway').privateKey)
  const node = senderOf(role('node').privateKey)
  const validators = DEVELOPMENT_ROLES.validators.map((index) => developmentAccount(index))
  const escrow = { address: contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const bonds = { address: contracts.NodeBond, abi: nodeBondAbi } as const
  const token = { address: contracts.OPG, abi: opgAbi } as const
  const faults = { address: contracts.FaultManager, abi: faultManagerAbi } as const
  const settlement = { address: contracts.Settlement, abi: settlementAbi } as const
  let height = 0n
  let nonce = 0n
  const spendingGrant: SpendingGrant = {
    payer: role('demo').address,
    gateway: committer.address,
    maxTotal: parseEther('1000'),
    maxPerCall: parseEther('1000'),
    ratePerHour: 0n,
    models: [],
    nodes: [],
    expiry: 2n ** 40n,
    nonce: 0n,
  }

  await Promise.all([
    openTill(network, committer, network.gatewayUrl),
    registerKey(network, node, KEY),
    senderOf(role('demo').privateKey).send({
      address: contracts.SpendingGrants,
      abi: spendingGrantsAbi,
      functionName: 'open',
      args: [spendingGrant, '0x', 0n],
    }),
    publish(MODEL, 'model', MODEL),
  ])

  /** Publishes a model at the price that every honest receipt states. */
  async function publish(modelId: Hex, uri: string, weightsHash: Hex): Promise<void> {
    await senderOf(role('publisher').privateKey).send({
      address: contracts.ModelRegistry,
      abi: modelRegistryAbi,
      functionName: 'publish',
      args: [modelId, uri, weightsHash, PRICE.perCall, PRICE.inputPrice, PRICE.outputPrice],
    })
  }

  async function give(to: Sender, spender: Address, amount: bigint): Promise<void> {
    await bank.send({ ...token, functionName: 'transfer', args: [to.address, amount] })
    await to.send({ ...token, functionName: 'approve', args: [spender, amount] })
  }

  /** Brings the bonds of committer and node to exactly `bond`, if they are below it. */
  async function bondAnew(bond = BOND): Promise<void> {
    for (const operator of [committer, node]) {
      const bonded = await bondOf(network, operator.address)
      if (bonded >= bond) continue
      await give(operator, bonds.address, bond - bonded)
      await operator.send({ ...bonds, functionName: 'add', args: [bond - bonded] })
    }
  }

  /** An honest receipt of the node's bonded key: one unit in, one out, at the price of the model. */
  async function signed(change: Partial<Receipt> = {}, privateKey = KEY): Promise<BatchEntry> {
    const seq = ++nonce
    const draft = {
      requestId: toHex(seq, { size: 32 }),
      payer: role('demo').address,
      node: node.address,
      key: addressOf(KEY),
      seq,
      committer: committer.address,
      modelId: MODEL,
      inputUnits: 1n,
      outputUnits: 1n,
      price: PRICE.perCall + PRICE.outputPrice,
      ...change,
    }
    return signReceipt(network, await draftReceipt(network, draft), privateKey)
  }

  /** The call at place `counter` of a grant. */
  async function granted(
    counter: bigint,
    change: Partial<Receipt> = {},
    privateKey = KEY,
  ): Promise<BatchEntry> {
    const grant = { id: grantIdOf(spendingGrant, deployment), counter }
    const payer = lower(role('demo').address)
    const requestId = grantRequestId({ chainId: devnet.chainId, escrow: escrow.address, payer, grant })
    return { ...(await signed({ requestId, ...change }, privateKey)), grant }
  }

  /** Pays into the grant's deposit. */
  async function fundGrant(amount: bigint): Promise<void> {
    const deposits = { address: contracts.SpendingGrants, abi: spendingGrantsAbi } as const
    await give(bank, deposits.address, amount)
    await bank.send({ ...deposits, functionName: 'fund', args: [spendingGrant, amount] })
  }

  /** A payment of the demo account that is locked for the committer; for its request id. */
  function paid(value: bigint): Promise<Hex> {
    const payerKey = role('demo').privateKey
    return payInto(network, { payerKey, gateway: committer.address, collector: committer, value })
  }

  /** The entries among some honest receipts, as a batch of the committer's next height. */
  async function among(...entries: BatchEntry[]): Promise<Batch> {
    const others = await Promise.all([signed(), signed({ payer: `0x${'1'.repeat(40)}` }), signed()])
    return buildBatch({
      deployment,
      committer: committer.address,
      height: ++height,
      receipts: [...others, ...entries],
    })
  }

  /** Commits with fresh bonds, the groups of the batch or others. */
  async function commit(
    batch: Batch,
    { groups = groupHeaders(batch), bond }: { groups?: readonly GroupHeader[]; bond?: bigint } = {},
  ): Promise<void> {
    await bondAnew(bond)
    await committer.send({
      ...settlement,
      functionName: 'commit',
      args: [batch.header.height, batch.header.dataHash, groups],
    })
  }

  /** A validator that says what it likes of a batch, unseen: by itself that it is valid. */
  async function attestFalsely(batchId: Hex, which: number, verdict: number = VERDICT.valid): Promise<void> {
    const { root, committedBlock } = await client.readContract({
      ...settlement,
      functionName: 'batch',
      args: [batchId],
    })
    const statement = { batchId, root, registryBlock: committedBlock, dataAvailable: true, verdict }
    const privateKey = (validators[which] as (typeof validators)[0]).privateKey
    const signature = await signDigest(attestationDigest(statement, deployment), privateKey)
    await committer.send({
      ...settlement,
      functionName: 'attest',
      args: [batchId, committedBlock, true, verdict, [signature]],
    })
  }

  async function stateOf(batchId: Hex): Promise<number> {
    const found = await client.readContract({ ...settlement, functionName: 'batch', args: [batchId] })
    return found.state
  }

  const balanceOf = (account: Address) =>
    client.readContract({ ...token, functionName: 'balanceOf', args: [account] })

  /** How the proceeds of a fault were shared out, OPG base units. */
  async function proceedsOf(faultId: Hex) {
    const events = await client.getContractEvents({
      ...faults,
      eventName: 'ProceedsDistributed',
      args: { faultId },
      fromBlock: 0n,
      strict: true,
    })
    return events.map(({ args: { faultId: _, ...shares } }) => shares)
  }

  return {
    network,
    devnet,
    client,
    deployment,
    committer,
    node,
    bank,
    validators,
    escrow,
    bonds,
    faults,
    settlement,
    role,
    senderOf,
    publish,
    signed,
    granted,
    fundGrant,
    paid,
    among,
    commit,
    /** The height of the committer's next batch, which is used with that. */
    nextHeight: () => ++height,
    attestFalsely,
    stateOf,
    balanceOf,
    proceedsOf,
    give,
    close: () => devnet.close(),
  }
}

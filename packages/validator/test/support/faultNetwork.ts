/** A chain with every contract, a committer whose till serves what it is told to, and validators to be run on it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import {
  bootstrapDevnet,
  createSender,
  DEVELOPMENT_ROLES,
  deploy,
  developmentAccount,
  publicClientOf,
  type Sender,
  startDevnet,
} from '@assay/chain'
import {
  attestationDigest,
  type Batch,
  type BatchEntry,
  buildBatch,
  faultManagerAbi,
  type GroupHeader,
  grantIdOf,
  grantRequestId,
  groupHeaders,
  inferenceEscrowAbi,
  modelRegistryAbi,
  type Network,
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
import { bondOf, openTill, registerKey } from '../../../../test/faults/operators.ts'
import { payInto } from '../../../../test/faults/payments.ts'
import { draftReceipt, signReceipt } from '../../../../test/faults/receipts.ts'
import { temporaryFolder } from '../../../../test/temporaryFolder.ts'
import { startValidator, type Validator } from '../../src/index.ts'

export const BOND = parseEther('1000')
export const PRICE = { perCall: parseEther('1'), inputPrice: 0n, outputPrice: parseEther('1') }
const MODEL = toHex('model', { size: 32 })
export const KEY = developmentAccount(17).privateKey
export const ROGUE = developmentAccount(18).privateKey
const lower = (address: Address) => address.toLowerCase() as Address
const addressOf = (key: Hex) => lower(privateKeyToAccount(key).address)

export type LogEntry = { event: string; facts: Record<string, unknown> }
export type Watching = Validator & {
  /** Resolves with the first entry, past or coming, of this event for which the test holds. */
  said: (event: string, test?: (facts: Record<string, unknown>) => boolean) => Promise<LogEntry['facts']>
}

export type FaultNetwork = Awaited<ReturnType<typeof startFaultNetwork>>

export async function startFaultNetwork() {
  const folder = temporaryFolder('watch')
  const files = new Map<string, Uint8Array>()
  const gateway = createServer((request, response) => {
    const batchId = /^\/v1\/batches\/(0x[0-9a-f]{64})\/data$/.exec(request.url ?? '')?.[1] ?? ''
    const file = files.get(batchId)
    response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
  const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`

  const devnet = await startDevnet({ dir: path.join(folder, 'chain'), port: 0 })
  const where = { rpcUrl: devnet.url, chainId: devnet.chainId }
  const role = (name: 'deployer' | 'gateway' | 'node' | 'demo' | 'publisher' | 'treasury') =>
    developmentAccount(DEVELOPMENT_ROLES[name])
  const deployed = await deploy({
    ...where,
    deployerKey: role('deployer').privateKey,
    treasury: role('treasury').address,
    journalFile: path.join(folder, 'deployment.json'),
    devnet,
  })
  const { contracts } = deployed
  await bootstrapDevnet({ ...deployed, nodeUrl: gatewayUrl, gatewayUrl, validatorUrls: [] })
  const client = publicClientOf(where)
  const senderOf = (privateKey: Hex): Sender => createSender({ network: where, privateKey })
  const bank = senderOf(role('deployer').privateKey)
  const committer = senderOf(role('gateway').privateKey)
  const node = senderOf(role('node').privateKey)
  const validators = DEVELOPMENT_ROLES.validators.map((index) => developmentAccount(index))
  const deployment = {
    chainId: devnet.chainId,
    settlement: contracts.Settlement,
    deploymentId: deployed.deploymentId,
  }
  const network: Network = {
    ...where,
    gatewayUrl,
    deploymentId: deployed.deploymentId,
    contracts,
    gateway: committer.address,
    nodes: [{ operator: node.address, url: gatewayUrl }],
    validators: validators.map(({ address }) => ({ operator: address, url: gatewayUrl })),
    accounts: { demo: role('demo') },
    models: [],
  }
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
    openTill(network, committer, gatewayUrl),
    registerKey(network, node, KEY),
    senderOf(role('demo').privateKey).send({
      address: contracts.SpendingGrants,
      abi: spendingGrantsAbi,
      functionName: 'open',
      args: [spendingGrant, '0x', 0n],
    }),
    senderOf(role('publisher').privateKey).send({
      address: contracts.ModelRegistry,
      abi: modelRegistryAbi,
      functionName: 'publish',
      args: [MODEL, 'model', MODEL, PRICE.perCall, PRICE.inputPrice, PRICE.outputPrice],
    }),
  ])

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

  /** Commits with fresh bonds, and serves the file unless told otherwise. */
  async function commit(
    batch: Batch,
    options: { groups?: readonly GroupHeader[]; batchId?: Hex; served?: boolean; bond?: bigint } = {},
  ): Promise<Hex> {
    await bondAnew(options.bond)
    const batchId = options.batchId ?? batch.batchId
    if (options.served !== false) files.set(batchId, batch.file)
    await committer.send({
      ...settlement,
      functionName: 'commit',
      args: [batch.header.height, batch.header.dataHash, options.groups ?? groupHeaders(batch)],
    })
    return batchId
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

  /** Validators that run; those that a failed test has left are closed with the network, or the process never ends. */
  const watching = new Set<Awaited<ReturnType<typeof startValidator>>>()

  /** Runs a validator of the network in this process. */
  async function watch(which: number, name = `validator-${which}`): Promise<Watching> {
    const entries: LogEntry[] = []
    const waiting = new Set<() => void>()
    const validator = await startValidator({
      network,
      privateKey: (validators[which] as (typeof validators)[0]).privateKey,
      dataDir: path.join(folder, name),
      port: 0,
      log(event, facts) {
        entries.push({ event, facts })
        for (const look of waiting) look()
      },
    })
    watching.add(validator)
    return {
      ...validator,
      close() {
        watching.delete(validator)
        return validator.close()
      },
      said: (event, test = () => true) =>
        new Promise((resolve) => {
          const look = () => {
            const found = entries.find((entry) => entry.event === event && test(entry.facts))
            if (found === undefined) return
            waiting.delete(look)
            resolve(found.facts)
          }
          waiting.add(look)
          look()
        }),
    }
  }

  return {
    folder,
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
    signed,
    granted,
    fundGrant,
    paid,
    among,
    commit,
    /** Lets the file of a batch be had from now on. */
    serve: ({ batchId, file }: Pick<Batch, 'batchId' | 'file'>) => void files.set(batchId, file),
    attestFalsely,
    stateOf,
    balanceOf,
    proceedsOf,
    give,
    watch,
    async close(): Promise<void> {
      await Promise.all([...watching].map((validator) => validator.close()))
      gateway.closeAllConnections()
      await Promise.all([devnet.close(), new Promise((resolve) => gateway.close(resolve))])
    },
  }
}

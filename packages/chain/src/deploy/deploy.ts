import { randomBytes } from 'node:crypto'
import { type Artifact, codeVersion, loadArtifact } from '@assay/contracts/artifacts'
import {
  AssayError,
  CONTRACT_NAMES,
  type ContractName,
  type Contracts,
  deploymentIdOf,
  genesisAllocatorAbi,
  opgTimelockAbi,
  PERMIT2_ADDRESS,
  X402_UPTO_PROXY_ADDRESS,
} from '@assay/protocol'
import {
  type Abi,
  type Address,
  bytesToHex,
  getAddress,
  type Hex,
  isAddressEqual,
  type PublicClient,
  zeroAddress,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { DEVELOPMENT_ROLES, developmentAccount, isDevelopmentAccount } from '../developmentAccounts.ts'
import type { Devnet } from '../devnet/startDevnet.ts'
import { publicClientOf } from '../publicClient.ts'
import { createSender, type Sender } from '../sender/createSender.ts'
import { allocationValues, type Beneficiaries } from './allocation.ts'
import { constructorArguments } from './constructorArguments.ts'
import { type DeployJournal, readJournal, saveJournal } from './deployJournal.ts'
import type { EnclaveApproval } from './enclaveApproval.ts'
import { type GovernanceTimes, governanceValues } from './governance.ts'
import { type Heritage, readHeritage } from './heritage.ts'
import { parameterLists, type Terms } from './parameters.ts'
import { placeStandIns, requireCanonical } from './standIns.ts'
import { hijacked, wireFaults } from './wireFaults.ts'

export type DeployOptions = {
  rpcUrl: string
  chainId: number
  deployerKey: Hex
  /** Receives its share of every payment. */
  treasury: Address
  /**
   * Journal of an earlier deployment on this chain: its OPG and genesis allocation stay, all else is deployed anew
   * (docs/upgrades.md).
   */
  succeeds?: string | undefined
  /** Who receives each bucket of a new supply. @default on a devnet: labelled development accounts */
  beneficiaries?: Beneficiaries | undefined
  /** May suspend and pause for a year. @default on a devnet: a development account; elsewhere nobody */
  guardian?: Address | undefined
  /**
   * Hardware, roots and measurements to be accepted. On a devnet only: from its first block, or by a vote of the
   * development accounts where it exists already. Elsewhere holders vote them in.
   */
  approvals?: readonly EnclaveApproval[] | undefined
  /** Where governance is to be of another pace than that of production, or of a devnet. */
  governance?: Partial<GovernanceTimes> | undefined
  /** File that remembers what was deployed; a second run with it deploys nothing. */
  journalFile: string
  /** The embedded chain: short windows, stand-ins for Permit2 and the x402 proxies. */
  devnet?: Pick<Devnet, 'admin' | 'snapshot'> | undefined
  /**
   * On a devnet: `rehearsal` has time-outs so short that the whole life of a withheld batch, refunds included, fits into a
   * minute, `unhurried` such that nobody is too slow for them. @default `development`
   */
  terms?: Exclude<Terms, 'production'> | undefined
  /** Lets the public development keys act on a chain that is not a local one. */
  insecureDevelopment?: boolean | undefined
  /** Told what is being done, for a progress line. */
  onProgress?: ((step: string) => void) | undefined
}

export type DeployResult = {
  chainId: number
  rpcUrl: string
  deploymentId: Hex
  contracts: Contracts
  /** Whether any contract was deployed in this run. */
  fresh: boolean
}

/** Chains on which the public development keys are expected. */
const LOCAL_CHAIN_IDS: readonly number[] = [31337, 1337]

/**
 * Each group needs only those before it, so its members go out together: on a chain with slow blocks a group costs one
 * block and not one per contract.
 */
const GROUPS: readonly (readonly ContractName[])[] = [
  ['OpgTimelock', 'GenesisAllocator'],
  ['ParamStore', 'Guardian', 'OPG'],
  ['ModelRegistry', 'PauseClock', 'NodeBond', 'ValidatorStaking'],
  ['Settlement', 'RevenueSplitter', 'OpgVotes'],
  ['TeeRegistry', 'InferenceEscrow', 'SpendingGrants', 'OpgGovernor'],
  ['FaultManager', 'SupplyView'],
  ['TeeFault', 'EquivocationFault', 'DataChallenge', 'SumFault', 'RowFault', 'CanaryRegistry', 'ZkFault'],
]

/** Contracts that learn once, after their deployment, who else may act on them. */
type Link = {
  on: ContractName
  /** View that gives the first of `to`, or zero while the link is open. */
  getter: string
  setter: string
  to: readonly [ContractName, ...ContractName[]]
}

const LINKS: readonly Link[] = [
  { on: 'RevenueSplitter', getter: 'escrow', setter: 'wire', to: ['InferenceEscrow', 'SpendingGrants'] },
  { on: 'ValidatorStaking', getter: 'settlement', setter: 'setSettlement', to: ['Settlement'] },
  { on: 'NodeBond', getter: 'settlement', setter: 'setSettlement', to: ['Settlement'] },
  ...(['Settlement', 'ValidatorStaking', 'NodeBond', 'InferenceEscrow'] as const).map(
    (on): Link => ({ on, getter: 'faultManager', setter: 'setFaultManager', to: ['FaultManager'] }),
  ),
]

/**
 * Deploys and wires all contracts on any EVM chain, once: what the journal names and the chain still holds is kept, and
 * every later step looks at the chain first. A run that broke off is continued by running it again.
 * @throws AssayError `config` for settings that cannot work, `unreachable`, `conflict` where a contract refuses.
 */
export async function deploy(options: DeployOptions): Promise<DeployResult> {
  const { chainId, rpcUrl, deployerKey, journalFile, devnet, onProgress = () => undefined } = options
  const deployer = privateKeyToAccount(deployerKey).address
  refuseDevelopmentKeys(options, deployer)
  // Asked before anything is deployed: what is missing must not show half-way.
  if (devnet === undefined && options.succeeds === undefined)
    allocationValues(options.beneficiaries, undefined)
  const client = publicClientOf({ chainId, rpcUrl })
  await mustBeChain(client, chainId, rpcUrl)
  const heritage =
    options.succeeds === undefined ? undefined : await readHeritage(options.succeeds, chainId, client)
  if (devnet === undefined) await requireCanonical(client)
  else await placeStandIns(client, devnet)

  const sender = createSender({ network: { chainId, rpcUrl }, privateKey: deployerKey })
  const journal = await openJournal(journalFile, chainId, deployer, client, heritage)
  const known = journal.contracts
  let fresh = false
  for (const group of GROUPS) {
    const missing = group.filter((name) => known[name] === undefined)
    if (missing.length === 0) continue
    onProgress(`deploying ${missing.join(', ')}`)
    const now = devnet === undefined ? undefined : (await client.getBlock()).timestamp
    const values = valuesOf(options, journal, now)
    await allOf(
      missing.map(async (name) => {
        const { abi, bytecode } = artifactOf(name)
        const receipt = await sender.deploy({ abi, bytecode, args: constructorArguments(name, abi, values) })
        known[name] = getAddress(receipt.contractAddress ?? zeroAddress)
        saveJournal(journalFile, journal)
      }),
    )
    fresh = true
  }
  const contracts = known as Contracts
  onProgress('wiring')
  await wire(client, sender, contracts)
  return { chainId, rpcUrl, deploymentId: journal.deploymentId, contracts, fresh }
}

function refuseDevelopmentKeys(options: DeployOptions, deployer: Address): void {
  if (LOCAL_CHAIN_IDS.includes(options.chainId) || options.insecureDevelopment === true) return
  const { treasury, guardian, beneficiaries } = options
  const used = [deployer, treasury, guardian, ...Object.values(beneficiaries ?? {})].find(
    (account) => account !== undefined && isDevelopmentAccount(account),
  )
  if (used === undefined) return
  throw new AssayError('A public development key must not act on a chain that is not a local one.', {
    code: 'config',
    facts: { chainId: options.chainId, address: used },
    next: 'Use keys of your own. For a throw-away test chain: --insecure-development.',
  })
}

async function mustBeChain(client: PublicClient, chainId: number, rpcUrl: string): Promise<void> {
  const origin = URL.parse(rpcUrl)?.origin
  const answered = await client.getChainId().catch((cause: unknown) => {
    throw new AssayError('The chain does not answer.', {
      code: 'unreachable',
      facts: { rpcUrl: origin },
      next: 'Check the address of the RPC and that it is up.',
      cause,
    })
  })
  if (answered === chainId) return
  throw new AssayError('The RPC serves another chain than the one named.', {
    code: 'config',
    facts: { rpcUrl: origin, answered, named: chainId },
    next: 'Give the chain id that the RPC answers, or another RPC.',
  })
}

/**
 * The journal, cleared of contracts that the chain no longer holds, and of all in later groups: they were built with
 * its address.
 */
async function openJournal(
  file: string,
  chainId: number,
  deployer: Address,
  client: PublicClient,
  heritage: Heritage | undefined,
): Promise<DeployJournal> {
  const found = readJournal(file)
  if (found !== undefined && (found.chainId !== chainId || !isAddressEqual(found.deployer, deployer))) {
    throw new AssayError('The record of the deployment belongs to another chain or deployer.', {
      code: 'config',
      facts: { file, chainId: found.chainId, deployer: found.deployer },
      next: 'Give this deployment a journal file of its own.',
    })
  }
  const code = codeVersion(CONTRACT_NAMES)
  if (found?.code !== undefined && found.code !== code) {
    throw new AssayError(
      'The deployment was made of other contracts than these: it keeps its code for ever.',
      {
        code: 'config',
        facts: { file, itsCode: found.code, thisCode: code },
        next: 'Go on with it by the version that made it, or make a new deployment (docs/upgrades.md).',
      },
    )
  }
  if (found !== undefined && found.succeeds !== heritage?.succeeds) {
    throw new AssayError('The record of the deployment succeeds another deployment than the one named.', {
      code: 'config',
      facts: { file, succeeds: found.succeeds ?? 'none', named: heritage?.succeeds ?? 'none' },
      next: 'Continue it with the journal that it was begun with, or give this deployment a journal file of its own.',
    })
  }
  const contracts: DeployJournal['contracts'] = { ...heritage?.contracts }
  for (const group of GROUPS) {
    for (const name of group.filter((one) => contracts[one] === undefined)) {
      const address = found?.contracts[name]
      if (address !== undefined && (await client.getCode({ address })) !== undefined)
        contracts[name] = address
    }
    if (group.some((name) => contracts[name] === undefined)) break
  }
  const entropy = bytesToHex(randomBytes(32))
  const keepsId = found !== undefined && contracts.Settlement !== undefined
  const deploymentId = keepsId ? found.deploymentId : deploymentIdOf(chainId, deployer, entropy)
  const succeeds = heritage === undefined ? {} : { succeeds: heritage.succeeds }
  return { format: 'assay-deployment/1', chainId, deployer, deploymentId, code, ...succeeds, contracts }
}

function artifactOf(name: string): Omit<Artifact, 'abi'> & { abi: Abi } {
  const artifact = loadArtifact(name)
  return { ...artifact, abi: artifact.abi as Abi }
}

/** Everything that a constructor may ask for, by parameter name. @param now the devnet's time, Unix seconds */
function valuesOf(
  options: DeployOptions,
  journal: DeployJournal,
  now: bigint | undefined,
): Record<string, unknown> {
  const { contracts } = journal
  const development = options.devnet !== undefined
  const guardian = options.guardian ?? (development ? developmentGuardian() : undefined)
  return {
    ...parameterLists(development ? (options.terms ?? 'development') : 'production'),
    // A token that exists was allocated when it was made.
    ...(contracts.GenesisAllocator === undefined ? allocationValues(options.beneficiaries, now) : {}),
    ...governanceValues(development, guardian, options.governance),
    approvals: development ? (options.approvals ?? []) : [],
    governor: contracts.OpgTimelock,
    timelock: contracts.OpgTimelock,
    guardian: contracts.Guardian,
    votes: contracts.OpgVotes,
    treasury: options.treasury,
    insurance: options.treasury,
    deploymentId: journal.deploymentId,
    genesisAllocator: contracts.GenesisAllocator,
    token: contracts.OPG,
    params: contracts.ParamStore,
    pauseClock: contracts.PauseClock,
    models: contracts.ModelRegistry,
    nodeBond: contracts.NodeBond,
    bond: contracts.NodeBond,
    bonds: contracts.NodeBond,
    staking: contracts.ValidatorStaking,
    stakes: contracts.ValidatorStaking,
    settlement: contracts.Settlement,
    teeRegistry: contracts.TeeRegistry,
    splitter: contracts.RevenueSplitter,
    escrow: contracts.InferenceEscrow,
    grants: contracts.SpendingGrants,
    faultManager: contracts.FaultManager,
    permit2: PERMIT2_ADDRESS,
    uptoProxy: X402_UPTO_PROXY_ADDRESS,
    x402UptoProxy: X402_UPTO_PROXY_ADDRESS,
  }
}

function developmentGuardian(): Address {
  return developmentAccount(DEVELOPMENT_ROLES.guardian).address
}

/** The one-shot setters and the distribution of the supply, each only where the chain says that it is still to do. */
async function wire(client: PublicClient, sender: Sender, contracts: Contracts): Promise<void> {
  const allocator = { address: contracts.GenesisAllocator, abi: genesisAllocatorAbi } as const
  await allOf([
    (async () => {
      const token = await client.readContract({ ...allocator, functionName: 'token' })
      if (token === zeroAddress)
        await sender.send({ ...allocator, functionName: 'initialise', args: [contracts.OPG] })
      else if (!isAddressEqual(token, contracts.OPG)) throw hijacked('GenesisAllocator', token)
      const distributed = await client.readContract({ ...allocator, functionName: 'distributed' })
      if (!distributed) await sender.send({ ...allocator, functionName: 'distribute' })
    })(),
    ...LINKS.map((link) => connect(client, sender, contracts, link)),
    (async () => {
      const timelock = { address: contracts.OpgTimelock, abi: opgTimelockAbi } as const
      const { OpgGovernor } = contracts
      if (!(await client.readContract({ ...timelock, functionName: 'wired' })))
        await sender.send({ ...timelock, functionName: 'wire', args: [OpgGovernor] })
      const role = await client.readContract({ ...timelock, functionName: 'PROPOSER_ROLE' })
      const ours = await client.readContract({
        ...timelock,
        functionName: 'hasRole',
        args: [role, OpgGovernor],
      })
      if (!ours) throw hijacked('OpgTimelock', undefined)
    })(),
    wireFaults(client, sender, contracts),
  ])
}

async function connect(
  client: PublicClient,
  sender: Sender,
  contracts: Contracts,
  { on, getter, setter, to }: Link,
): Promise<void> {
  const at = { address: contracts[on], abi: artifactOf(on).abi }
  const found = (await client.readContract({ ...at, functionName: getter })) as Address
  const wanted = contracts[to[0]]
  if (found === zeroAddress)
    await sender.send({ ...at, functionName: setter, args: to.map((name) => contracts[name]) })
  else if (!isAddressEqual(found, wanted)) throw hijacked(on, found)
}

/** Waits for all, also where one fails: nothing may still be writing when the caller hears of it. */
async function allOf(tasks: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(tasks)).find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

import { AssayError } from '@assay/protocol'
import { SNP_PRODUCTS, type SnpProduct } from '@assay/verify'
import type { Attester, GpuSource } from './attester.ts'
import { dstackAttester, tdxAttester } from './dcap.ts'
import { nitridingAttester } from './nitriding.ts'
import { nitroSimAttester } from './nitroSim.ts'
import { nvidiaToolGpus } from './nvidiaTool.ts'
import { simulatedRoot } from './simulatedChain.ts'
import { simulatedGpus } from './simulatedGpu.ts'
import { snpAttester } from './snp.ts'

type Environment = Readonly<Record<string, string | undefined>>

const KINDS = ['nitro', 'tdx', 'snp', 'dstack', 'nitro-sim'] as const

/**
 * The source of evidence that `ASSAY_ENCLAVE` names (docs/configuration.md). Nothing is guessed: a node that found no
 * hardware and went on simulated would serve without protection and not say so.
 * @param simulatedFolder folder of the simulated root, read only for `nitro-sim`
 * @throws AssayError `config` | `unreachable`
 */
export async function chooseAttester(env: Environment, simulatedFolder: string): Promise<Attester> {
  const attester = await chooseProcessor(env, simulatedFolder)
  const gpus = await chooseGpus(env, attester, simulatedFolder)
  return gpus === undefined ? attester : { ...attester, gpus }
}

async function chooseProcessor(env: Environment, simulatedFolder: string): Promise<Attester> {
  const kind = env.ASSAY_ENCLAVE ?? 'nitro-sim'
  const folder = env.ASSAY_TSM_FOLDER
  const intel = { pcsUrl: env.ASSAY_PCS_URL, rootCrlUrl: env.ASSAY_INTEL_ROOT_CRL_URL }
  switch (kind) {
    case 'nitro':
      return nitridingAttester({
        internalUrl: env.ASSAY_NITRIDING_URL ?? 'http://127.0.0.1:8080',
        publicUrl: env.ASSAY_NITRIDING_PUBLIC_URL ?? 'https://127.0.0.1:8443',
      })
    case 'tdx':
      return tdxAttester({ ...intel, folder })
    case 'dstack':
      return dstackAttester({ ...intel, socketPath: env.ASSAY_DSTACK_SOCKET })
    case 'snp':
      return snpAttester({ folder, kdsUrl: env.ASSAY_AMD_KDS_URL, product: productOf(env.ASSAY_SNP_PRODUCT) })
    case 'nitro-sim':
      return nitroSimAttester(await simulatedRoot(simulatedFolder))
    default:
      throw new AssayError('ASSAY_ENCLAVE names no kind of enclave.', {
        code: 'config',
        facts: { ASSAY_ENCLAVE: kind.slice(0, 64), known: KINDS.join(', ') },
      })
  }
}

function productOf(name: string | undefined): SnpProduct | undefined {
  if (name === undefined) return undefined
  const product = SNP_PRODUCTS.find((known) => known === name)
  if (product !== undefined) return product
  throw new AssayError('ASSAY_SNP_PRODUCT names no line of AMD.', {
    code: 'config',
    facts: { ASSAY_SNP_PRODUCT: name.slice(0, 64), known: SNP_PRODUCTS.join(', ') },
  })
}

/** Most that may be simulated: as many as a server holds. */
const MAX_SIMULATED_GPUS = 8

async function chooseGpus(
  env: Environment,
  { kind, simulated }: Attester,
  simulatedFolder: string,
): Promise<GpuSource | undefined> {
  const { ASSAY_GPU_EVIDENCE: program, ASSAY_SIMULATED_GPUS: count } = env
  const wrong = (reason: string): AssayError =>
    new AssayError('The GPUs cannot be asked as configured.', {
      code: 'config',
      facts: { ASSAY_ENCLAVE: kind, reason },
      next: 'See docs/run-in-tee.md',
    })
  if (count !== undefined && count !== '') {
    if (!simulated) throw wrong('ASSAY_SIMULATED_GPUS is for a simulated enclave only')
    if (!/^[1-9]$/.test(count) || Number(count) > MAX_SIMULATED_GPUS) {
      throw wrong(`ASSAY_SIMULATED_GPUS is not a number from 1 to ${MAX_SIMULATED_GPUS}`)
    }
    return simulatedGpus(await simulatedRoot(simulatedFolder), Number(count))
  }
  if (program === undefined || program === '') return undefined
  if (kind === 'nitro') throw wrong('a Nitro enclave has no GPU')
  return nvidiaToolGpus({ program })
}

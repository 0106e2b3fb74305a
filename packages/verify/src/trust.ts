import {
  ENGINE_CLASS,
  formatOpg,
  HARDWARE_NITRO,
  HARDWARE_NITRO_SIM,
  HARDWARE_SGX,
  HARDWARE_SNP,
  HARDWARE_TDX,
  MODE,
  type Receipt,
} from '@assay/protocol'
import type { Hex } from 'viem'
import type { ChainView } from './chainView.ts'
import type { Report } from './report.ts'
import { type Step, same } from './step.ts'
import { exceptionsOf } from './tee/policy/policyOfRules.ts'

/** Whoever holds such a machine in their hands can read its memory bus and make it vouch for anything. */
const PHYSICAL =
  'which somebody with the machine in their hands can break, as TEE.fail and Battering RAM have shown'

const SIMULATED = 'SIMULATED hardware (nitro-sim: development only, protects nothing)'

/** Hardware in plain words, with what is known against it. */
const HARDWARE_NAMES: readonly (readonly [Hex, string])[] = [
  [HARDWARE_NITRO, 'AWS Nitro hardware'],
  [HARDWARE_NITRO_SIM, SIMULATED],
  [HARDWARE_TDX, `Intel TDX hardware (${PHYSICAL})`],
  [HARDWARE_SGX, `Intel SGX hardware (${PHYSICAL})`],
  [HARDWARE_SNP, `AMD SEV-SNP hardware (${PHYSICAL})`],
]

/** Whether what a reader of this report would trust is hardware that protects nothing. */
export function trustsSimulation({ trust }: Pick<Report, 'trust'>): boolean {
  return trust.includes(SIMULATED)
}

function hardwareName(hardwareType: string): string {
  const known = HARDWARE_NAMES.find(([type]) => same(type, hardwareType))
  return known?.[1] ?? `hardware of type ${hardwareType}`
}

/** What a reader trusts who relies on this receipt, in plain words. "Verifiable" is not "trustless". */
export function trustStatement(parameters: {
  receipt: Receipt
  view: ChainView
  signedByPayer: boolean
  steps: readonly Step[]
}): string {
  const { receipt, view, signedByPayer, steps } = parameters
  const unsigned = signedByPayer ? '' : '; request not signed by payer'
  const reader = `the chain as read at block ${view.blockNumber}${spender(view)}`
  if (receipt.mode === MODE.bonded) {
    return `You trust the bond of operator ${receipt.node} alone: no hardware, no mathematics; and ${reader}${unsigned}.`
  }
  if (receipt.mode === MODE.zk) {
    const proven = steps.some(({ name, outcome }) => name === 'proofHolds' && outcome === 'passed')
    return proven
      ? `You trust mathematics for the answer: a proof, and the hash function under it; and ${reader}${unsigned}.`
      : `Until its proof is verified you trust operator ${receipt.node} alone; and ${reader}${unsigned}.`
  }
  const proxy =
    receipt.engineClass === ENGINE_CLASS.providerProxy
      ? ', for a proxy alone: which model answered, and what it said, is the word of the provider that it called'
      : ''
  const hardware = hardwareName(view.key?.hardwareType ?? 'unknown')
  const exceptions = exceptionsOf(view.rules ?? new Map())
  const lenient = exceptions.length === 0 ? '' : `; by vote, ${exceptions.join('; ')}`
  return `You trust ${hardware} and the vote that approved its code${proxy}${lenient}; and ${reader}${unsigned}.`
}

/** A client with nothing but a key signs nothing, so whoever keeps the key's account could call in its name. */
function spender({ grant }: ChainView): string {
  if (grant === null) return ''
  const { gateway, maxTotal } = grant.grant
  return `; and gateway ${gateway}, which can spend up to ${formatOpg(maxTotal)} under the payer's grant, whoever asked`
}

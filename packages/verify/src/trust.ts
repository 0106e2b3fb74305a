import { ENGINE_CLASS, HARDWARE_NITRO, HARDWARE_NITRO_SIM, MODE, type Receipt } from '@assay/protocol'
import type { ChainView } from './chainView.ts'
import { same } from './step.ts'

function hardwareName(hardwareType: string): string {
  if (same(hardwareType, HARDWARE_NITRO)) return 'AWS Nitro hardware'
  if (same(hardwareType, HARDWARE_NITRO_SIM))
    return 'SIMULATED hardware (nitro-sim: development only, protects nothing)'
  return `hardware of type ${hardwareType}`
}

/** What a reader trusts who relies on this receipt, in plain words. "Verifiable" is not "trustless". */
export function trustStatement(receipt: Receipt, view: ChainView, signedByPayer: boolean): string {
  const unsigned = signedByPayer ? '' : '; request not signed by payer'
  const reader = `the chain as read at block ${view.blockNumber}`
  if (receipt.mode === MODE.bonded) {
    return `You trust the bond of operator ${receipt.node} alone: no hardware, no mathematics; and ${reader}${unsigned}.`
  }
  const proxy =
    receipt.engineClass === ENGINE_CLASS.providerProxy ? ', the provider that the enclave called,' : ''
  const hardware = hardwareName(view.key?.hardwareType ?? 'unknown')
  return `You trust ${hardware}${proxy} and the vote that approved its code; and ${reader}${unsigned}.`
}

/** dcap-qvl (Rust, by Phala), an independent verifier of DCAP quotes, and how its verdicts compare with ours. */
import { join } from 'node:path'
import { bytesToHex } from 'viem'
import type { DcapReport } from '../../src/index.ts'
import { readQuote } from '../../src/tee/dcap/quote.ts'
import type { Sound } from './fuzzDcap.ts'
import { type PythonPeer, startPythonPeer } from './pythonPeer.ts'

export type QvlVerdict = { ok: true; status: string; advisoryIds: string[] } | { ok: false; error: string }

export type DcapQvl = {
  judge(evidence: Sound, root: Uint8Array): Promise<QvlVerdict>
  close: PythonPeer['close']
}

const hex = (bytes: Uint8Array) => bytesToHex(bytes).slice(2)

/** A text says why it is not to be had here. */
export function startDcapQvl(): DcapQvl | string {
  const peer = startPythonPeer(join(import.meta.dirname, '../../scripts/dcapQvl'))
  if (typeof peer === 'string') return peer
  return {
    close: peer.close,
    async judge({ quote, collateral, parameters }, root) {
      return (await peer.ask({
        quote: hex(quote),
        root: hex(root),
        now: Number(parameters.now),
        collateral: {
          pck_crl_issuer_chain: collateral.pckCrlIssuerChain,
          root_ca_crl: hex(collateral.rootCaCrl),
          pck_crl: hex(collateral.pckCrl),
          tcb_info_issuer_chain: collateral.tcbInfoIssuerChain,
          tcb_info: collateral.tcbInfo,
          tcb_info_signature: hex(collateral.tcbInfoSignature),
          qe_identity_issuer_chain: collateral.qeIdentityIssuerChain,
          qe_identity: collateral.qeIdentity,
          qe_identity_signature: hex(collateral.qeIdentitySignature),
        },
      })) as QvlVerdict
    },
  }
}

/** The root in a quote's own chain. */
export const rootIn = ({ quote }: Sound): Uint8Array => readQuote(quote).pckChain?.at(-1) as Uint8Array

/** Where two verdicts part; undefined where they agree. */
export function disagreement(report: DcapReport, verdict: QvlVerdict): string | undefined {
  if (report.ok !== verdict.ok) {
    const failed = report.steps.find(({ outcome }) => outcome === 'failed')
    return verdict.ok
      ? `only we refuse: ${failed?.name} ${failed?.code} ${failed?.reason}`
      : `only dcap-qvl refuses: ${verdict.error}`
  }
  if (!verdict.ok || report.attestation === undefined) return undefined
  const ours = `${report.attestation.status} ${[...report.attestation.advisoryIds].sort().join()}`
  const theirs = `${verdict.status} ${verdict.advisoryIds.join()}`
  return ours === theirs ? undefined : `we say ${ours}, dcap-qvl says ${theirs}`
}

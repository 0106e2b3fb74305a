import { AssayError, HARDWARE_TDX, NO_KEY_HASH } from '@assay/protocol'
import { encodeDcapEvidence, INTEL_ROOT_HASH, type TrustedRoot } from '@assay/verify'
import { hexToBytes } from 'viem'
import type { Attester } from './attester.ts'
import { readTsmReport, type TsmFiles } from './configfsTsm.ts'
import { exchange } from './http.ts'
import { type CollateralSource, fetchCollateral } from './intelCollateral.ts'

const DSTACK_SOCKET = '/var/run/dstack.sock'

/** A quote over 64 bytes, and the log of what was measured, where the platform keeps one. */
type Quoted = { quote: Uint8Array; eventLog?: string | undefined }

type DcapParameters = CollateralSource & {
  /** Default Intel's production root. */
  roots?: readonly TrustedRoot[] | undefined
}

/** A trust domain whose kernel gives quotes through configfs (TDX on Linux 6.7 and later). */
export function tdxAttester(
  parameters: DcapParameters & { folder?: string | undefined; files?: TsmFiles | undefined },
): Attester {
  const { folder, files } = parameters
  return dcapAttester(parameters, async (reportData) => {
    const { outblob } = await readTsmReport({ folder, files, provider: 'tdx_guest', reportData })
    return { quote: outblob }
  })
}

/** A trust domain under dstack, whose guest agent answers on a unix socket. */
export function dstackAttester(parameters: DcapParameters & { socketPath?: string | undefined }): Attester {
  const { socketPath = DSTACK_SOCKET } = parameters
  return dcapAttester(parameters, (reportData) => dstackQuote(socketPath, reportData))
}

function dcapAttester(
  { roots = [{ rootHash: INTEL_ROOT_HASH, hardwareType: HARDWARE_TDX }], ...source }: DcapParameters,
  quoteOver: (reportData: Uint8Array) => Promise<Quoted>,
): Attester {
  return {
    kind: 'tdx',
    simulated: false,
    roots,
    tlsKeyHash: NO_KEY_HASH,
    async attest(binding) {
      const reportData = new Uint8Array(64)
      reportData.set(hexToBytes(binding))
      const { quote, eventLog } = await quoteOver(reportData)
      return encodeDcapEvidence({ quote, collateral: await fetchCollateral(quote, source), eventLog })
    },
  }
}

const MAX_AGENT_BYTES = 262_144

/** `GetQuote` of the guest agent: report data as hex, answered in hex with the event log as JSON text. */
async function dstackQuote(socketPath: string, reportData: Uint8Array): Promise<Quoted> {
  const answer = await exchange({
    url: 'http://dstack/GetQuote',
    socketPath,
    method: 'POST',
    contentType: 'application/json',
    body: JSON.stringify({ report_data: Buffer.from(reportData).toString('hex') }),
    maxBytes: MAX_AGENT_BYTES,
  })
  const odd = (reason: string): AssayError =>
    new AssayError('The dstack agent gave no quote.', {
      code: 'unreachable',
      facts: { socketPath, status: answer.status, reason },
      next: 'Mount the socket of the guest agent into the container: docs/run-in-tee.md',
    })
  if (answer.status !== 200) throw odd(new TextDecoder().decode(answer.body.subarray(0, 200)))
  let json: { quote?: unknown; event_log?: unknown }
  try {
    json = JSON.parse(new TextDecoder().decode(answer.body)) as typeof json
  } catch {
    throw odd('the answer is not JSON')
  }
  const hex = typeof json.quote === 'string' ? json.quote.replace(/^0x/, '') : ''
  if (!/^([0-9a-fA-F]{2})+$/.test(hex)) throw odd('the quote is not hex')
  return {
    quote: new Uint8Array(Buffer.from(hex, 'hex')),
    eventLog: typeof json.event_log === 'string' && json.event_log !== '' ? json.event_log : undefined,
  }
}

import { type Evidence, type GpuEvidence, snpMeasurement } from '@assay/protocol'
import { bytesToHex } from 'viem'
import { utc } from '../utc.ts'
import { readEventLog } from './dcap/eventLog.ts'
import { decodeDcapEvidence } from './dcap/evidence.ts'
import { measurementOf as dcapMeasurement } from './dcap/expectations.ts'
import { readQuote } from './dcap/quote.ts'
import { parseCoseSign1 } from './nitro/cose.ts'
import { measurementOf as nitroMeasurementOf, parseNitroPayload } from './nitro/nitroDocument.ts'
import { deviceIdOf, modelOf, readGpuChain } from './nvidia/gpuChain.ts'
import { parseGpuReport } from './nvidia/gpuReport.ts'
import { decodeSnpEvidence } from './snp/evidence.ts'
import { parseSnpReport } from './snp/snpReport.ts'

/** What a document says, name → value for a person. Nothing of it is believed: the checklist decides that. */
export type EvidenceFacts = Readonly<Record<string, string>>

const MAX_EVENTS_SHOWN = 32
const MAX_PAYLOAD_SHOWN = 140

function describeNitro(document: Uint8Array): EvidenceFacts {
  const payload = parseNitroPayload(parseCoseSign1(document).payload)
  const registers = [...payload.pcrs].filter(([, value]) => value.some((byte) => byte !== 0))
  return {
    module: payload.moduleId,
    time: utc(payload.timestamp / 1000n),
    ...Object.fromEntries(registers.map(([index, value]) => [`PCR${index}`, bytesToHex(value)])),
    'user data': payload.userData === undefined ? 'none' : bytesToHex(payload.userData),
    measurement: nitroMeasurementOf(payload.pcrs),
  }
}

function describeDcap(document: Uint8Array): EvidenceFacts {
  const { quote, eventLog } = decodeDcapEvidence(document)
  const { version, teeType, report } = readQuote(quote)
  const common = { quote: `version ${version}, ${teeType}`, 'report data': report.reportData }
  if (report.kind === 'sgx') {
    const { mrEnclave, mrSigner, configId } = report
    return {
      ...common,
      MRENCLAVE: mrEnclave,
      MRSIGNER: mrSigner,
      CONFIGID: configId,
      measurement: dcapMeasurement(report),
    }
  }
  return {
    ...common,
    MRTD: report.mrTd,
    MRCONFIGID: report.mrConfigId,
    ...Object.fromEntries(report.rtmrs.map((value, index) => [`RTMR${index}`, value])),
    ...eventsOf(eventLog),
    measurement: dcapMeasurement(report),
  }
}

/** What the guest says that it measured at run time; the checklist's `eventLog` says whether RTMR3 bears it out. */
function eventsOf(text: string | undefined): EvidenceFacts {
  const claims = text === undefined ? [] : readEventLog(text).flatMap(({ claim }) => claim ?? [])
  const shown = claims.slice(0, MAX_EVENTS_SHOWN)
  return Object.fromEntries(
    shown.map(({ name, payload }) => [`event ${name}`, payload.slice(0, MAX_PAYLOAD_SHOWN)]),
  )
}

function describeSnp(document: Uint8Array): EvidenceFacts {
  const report = parseSnpReport(decodeSnpEvidence(document).report)
  return {
    report: `version ${report.version}, VMPL ${report.vmpl}, signed by ${report.signer}`,
    'guest policy': `0x${report.policy.bits.toString(16)}`,
    chip: report.chipId,
    'reported TCB': bytesToHex(report.reportedTcb),
    MEASUREMENT: report.measurement,
    HOST_DATA: report.hostData,
    'report data': report.reportData,
    measurement: snpMeasurement(report.measurement, report.hostData),
  }
}

const READERS: Readonly<Record<string, (document: Uint8Array) => EvidenceFacts>> = {
  nitro: describeNitro,
  'nitro-sim': describeNitro,
  sgx: describeDcap,
  snp: describeSnp,
  tdx: describeDcap,
}

function describeGpu({ report: bytes, certificates }: GpuEvidence): string {
  const { nonce, driverVersion = 'unnamed', vbiosVersion = 'unnamed' } = parseGpuReport(bytes)
  const chain = readGpuChain(certificates)
  const parts = [modelOf(chain), `driver ${driverVersion}`, `VBIOS ${vbiosVersion}`]
  return [...parts, `device ${deviceIdOf(chain)}`, `nonce ${nonce}`].join(', ')
}

/** Decodes evidence for a person to read; undefined where it cannot be read, or nothing here knows the kind. */
export function describeEvidence({
  kind,
  document,
  gpus = [],
}: Pick<Evidence, 'kind' | 'document' | 'gpus'>): EvidenceFacts | undefined {
  const read = Object.hasOwn(READERS, kind) ? READERS[kind] : undefined
  if (read === undefined) return undefined
  try {
    const shown = gpus.map((gpu, at) => [`GPU ${at}`, describeGpu(gpu)] as const)
    return { ...read(document), ...Object.fromEntries(shown) }
  } catch {
    return undefined
  }
}

/** Hostile mutants of DCAP evidence, at the parsers and through all cryptography. Used by a test and by a long run. */
import { p256 } from '@noble/curves/nist.js'
import { bytesToHex, hexToBytes } from 'viem'
import { type DcapCollateral, type DcapReport, readEventLog, verifyDcap } from '../../src/index.ts'
import { parseChain, parsePemChain } from '../../src/tee/dcap/chains.ts'
import { replayRtmrs } from '../../src/tee/dcap/eventLog.ts'
import { CollateralError } from '../../src/tee/dcap/json.ts'
import { readPckPlatform } from '../../src/tee/dcap/pckExtension.ts'
import { readQeIdentity } from '../../src/tee/dcap/qeIdentity.ts'
import { readQuote } from '../../src/tee/dcap/quote.ts'
import { QuoteError } from '../../src/tee/dcap/reader.ts'
import { readTcbInfo } from '../../src/tee/dcap/tcbInfo.ts'
import { parseCertificate } from '../../src/tee/x509/certificate.ts'
import { parseRevocationList } from '../../src/tee/x509/crl.ts'
import { DerError } from '../../src/tee/x509/der.ts'
import { commonNameOf } from '../../src/tee/x509/name.ts'
import { PemError, readPemCertificates } from '../../src/tee/x509/pem.ts'
import { ECDSA_P256 } from '../../src/tee/x509/scheme.ts'
import { mutate, type Random, randomFrom } from './mutate.ts'
import type { SimulatedDcap } from './simulatedDcap.ts'

/** Longest that one mutant may take, milliseconds of processor time: fifty times what sound evidence takes. */
const MAX_MILLISECONDS = 2_000

export type Sound = Pick<SimulatedDcap, 'quote' | 'collateral' | 'parameters'>

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

type Target = { name: string; parse: (bytes: Uint8Array) => unknown; seeds: Uint8Array[] }

const EVENT_LOG = utf8(
  JSON.stringify([
    { imr: 0, event_type: 4, digest: '0a'.repeat(48), event: '', event_payload: '' },
    { imr: 3, event_type: 0x08000001, digest: '', event: 'compose-hash', event_payload: 'c0ffee' },
  ]),
)

function targets(sound: readonly Sound[]): Target[] {
  const certificates = sound.flatMap(({ quote }) => [...(readQuote(quote).pckChain ?? [])])
  const chains = sound.map(({ collateral }) => utf8(collateral.tcbInfoIssuerChain))
  return [
    {
      name: 'quote',
      parse: (bytes) => parseChain(readQuote(bytes).pckChain ?? []),
      seeds: sound.map(({ quote }) => quote),
    },
    {
      name: 'certificate',
      parse: (bytes) => {
        const certificate = parseCertificate(bytes, [ECDSA_P256])
        commonNameOf(certificate.subject)
        return readPckPlatform(certificate)
      },
      seeds: certificates,
    },
    {
      name: 'revocation list',
      parse: (bytes) => parseRevocationList(bytes, [ECDSA_P256]),
      seeds: sound.flatMap(({ collateral }) => [collateral.rootCaCrl, collateral.pckCrl]),
    },
    { name: 'PEM', parse: (bytes) => readPemCertificates(text(bytes)), seeds: chains },
    { name: 'PEM chain', parse: (bytes) => parsePemChain(text(bytes)), seeds: chains },
    {
      name: 'TCB info',
      parse: (bytes) => readTcbInfo(text(bytes)),
      seeds: sound.map(({ collateral }) => utf8(collateral.tcbInfo)),
    },
    {
      name: 'QE identity',
      parse: (bytes) => readQeIdentity(text(bytes)),
      seeds: sound.map(({ collateral }) => utf8(collateral.qeIdentity)),
    },
    {
      name: 'event log',
      parse: (bytes) => replayRtmrs(readEventLog(text(bytes))),
      seeds: [EVENT_LOG],
    },
  ]
}

const EXPECTED_ERRORS = [QuoteError, DerError, PemError, CollateralError]

export type Tally = { mutants: number; read: number; refused: number; slowestMilliseconds: number }

/** Feeds `count` mutants to the parsers; @throws where one crashes otherwise than by its own error, or dawdles. */
export function fuzzParsers(sound: readonly Sound[], count: number, seed: number): Tally {
  const random = randomFrom(seed)
  const all = targets(sound)
  const tally: Tally = { mutants: 0, read: 0, refused: 0, slowestMilliseconds: 0 }
  for (; tally.mutants < count; tally.mutants++) {
    const { name, parse, seeds } = all[random() % all.length] as Target
    const mutant = mutate(seeds[random() % seeds.length] as Uint8Array, seeds, random)
    const started = processorMilliseconds()
    try {
      parse(mutant)
      tally.read++
    } catch (error) {
      if (!EXPECTED_ERRORS.some((kind) => error instanceof kind)) {
        throw new Error(`${name}: mutant ${bytesToHex(mutant)}`, { cause: error })
      }
      tally.refused++
    }
    noteTime(tally, started, name)
  }
  return tally
}

/** Unlike the clock's, this time is our own on a busy machine. */
function processorMilliseconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function noteTime(tally: { slowestMilliseconds: number }, started: number, what: string): void {
  const took = processorMilliseconds() - started
  if (took > MAX_MILLISECONDS) throw new Error(`${what}: a mutant took ${took} ms`)
  tally.slowestMilliseconds = Math.max(tally.slowestMilliseconds, took)
}

/** What of the evidence is signed: two that agree in it say the same, whatever their signatures' twins or line ends. */
function essenceOf(quote: Uint8Array, collateral: DcapCollateral): string {
  const { signed, attestationKey, qeReportBytes, qeAuthData, pckChain } = readQuote(quote)
  const tbs = (chain: readonly Uint8Array[]) =>
    chain.map((bytes) => bytesToHex(parseCertificate(bytes, [ECDSA_P256]).tbs))
  const list = (bytes: Uint8Array) => bytesToHex(parseRevocationList(bytes, [ECDSA_P256]).tbs)
  return JSON.stringify([
    [signed, attestationKey, qeReportBytes, qeAuthData].map((bytes) => bytesToHex(bytes)),
    tbs(pckChain ?? readPemCertificates(collateral.pckChain ?? '')),
    [collateral.pckCrlIssuerChain, collateral.tcbInfoIssuerChain, collateral.qeIdentityIssuerChain].map(
      (pem) => tbs(readPemCertificates(pem)),
    ),
    [collateral.rootCaCrl, collateral.pckCrl].map(list),
    collateral.tcbInfo,
    collateral.qeIdentity,
  ])
}

const TEXTS = [
  'pckCrlIssuerChain',
  'tcbInfoIssuerChain',
  'tcbInfo',
  'qeIdentityIssuerChain',
  'qeIdentity',
] as const
const BYTES = ['rootCaCrl', 'pckCrl', 'tcbInfoSignature', 'qeIdentitySignature'] as const

/** The other signature that the same key makes valid for the same message: (r, n − s). */
function twinOf(compact: Uint8Array): Uint8Array {
  const s = p256.Point.Fn.ORDER - BigInt(bytesToHex(compact.subarray(32)))
  return Uint8Array.from([...compact.subarray(0, 32), ...hexToBytes(`0x${s.toString(16).padStart(64, '0')}`)])
}

function twinned(sound: Sound, random: Random): Sound {
  const quote = new Uint8Array(sound.quote)
  const collateral = { ...sound.collateral }
  const { signed, version } = readQuote(quote)
  const at = signed.length + 4
  const qe = at + 128 + (version === 3 ? 0 : 6) + 384
  const place = [at, qe, 'tcbInfoSignature', 'qeIdentitySignature'][random() % 4] as
    | number
    | 'tcbInfoSignature'
    | 'qeIdentitySignature'
  if (typeof place === 'number') quote.set(twinOf(quote.subarray(place, place + 64)), place)
  else collateral[place] = twinOf(collateral[place])
  return { ...sound, quote, collateral }
}

function mutateEvidence(sound: Sound, corpus: readonly Sound[], random: Random): Sound {
  if (random() % 64 === 0) return twinned(sound, random)
  if (random() % 2 === 0) {
    const seeds = corpus.map(({ quote }) => quote)
    return { ...sound, quote: mutate(sound.quote, seeds, random) }
  }
  const collateral = { ...sound.collateral }
  const other = (corpus[random() % corpus.length] as Sound).collateral
  const pick = random() % (TEXTS.length + BYTES.length)
  if (pick < TEXTS.length) {
    const name = TEXTS[pick] as (typeof TEXTS)[number]
    collateral[name] = text(mutate(utf8(collateral[name]), [utf8(other[name])], random))
  } else {
    const name = BYTES[pick - TEXTS.length] as (typeof BYTES)[number]
    collateral[name] = mutate(collateral[name], [other[name]], random)
  }
  return { ...sound, collateral }
}

export type VerifierTally = {
  mutants: number
  /** By the step that failed. */
  failedAt: Record<string, number>
  /** Accepted, and saying the same as the original: a signature's twin, other ends of lines, padding taken off. */
  same: number
  slowestMilliseconds: number
}

/** What became of one mutant, for whoever compares it with another verifier. */
export type Judged = { mutant: Sound; report: DcapReport; same: boolean }

/** Sends `count` mutants through everything; @throws where one crashes, dawdles, or is accepted and says something else. */
export function* fuzzVerifier(
  sound: readonly Sound[],
  count: number,
  seed: number,
  tally: VerifierTally = { mutants: 0, failedAt: {}, same: 0, slowestMilliseconds: 0 },
): Generator<Judged, VerifierTally> {
  const random = randomFrom(seed)
  const essences = new Map(sound.map((one) => [one, essenceOf(one.quote, one.collateral)]))
  for (; tally.mutants < count; tally.mutants++) {
    const original = sound[random() % sound.length] as Sound
    const mutant = mutateEvidence(original, sound, random)
    const started = processorMilliseconds()
    const report = verifyDcap(mutant.quote, mutant.collateral, mutant.parameters)
    noteTime(tally, started, 'verifyDcap')
    const failed = report.steps.find(({ outcome }) => outcome === 'failed')?.name
    if (report.ok) {
      if (essenceOf(mutant.quote, mutant.collateral) !== essences.get(original)) {
        const { quote, collateral } = mutant
        throw new Error(`accepted: quote ${bytesToHex(quote)} collateral ${JSON.stringify(collateral)}`)
      }
      tally.same++
    } else if (failed === undefined) {
      throw new Error('refused without a failed step')
    } else {
      tally.failedAt[failed] = (tally.failedAt[failed] ?? 0) + 1
    }
    yield { mutant, report, same: report.ok }
  }
  return tally
}

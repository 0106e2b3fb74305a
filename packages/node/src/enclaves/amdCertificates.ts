import { AssayError } from '@assay/protocol'
import type { SnpProduct, SnpReport } from '@assay/verify'
import { exchange } from './http.ts'

/** AMD's Key Distribution Service (AMD 57230). */
const AMD_KDS_URL = 'https://kdsintf.amd.com'
const MAX_ANSWER_BYTES = 65_536

/** DER, root first; and the root's revocation list. */
export type AmdCertificates = { certificates: Uint8Array[]; crl?: Uint8Array | undefined }

/** Entries of the host's table of certificates (GHCB specification 4.1.8.1), by the GUIDs that AMD gives them. */
const GUIDS = {
  ark: 'c0b406a4a803495297433fb6014cd0ae',
  ask: '4ab7b379bbac4fe4a02f05aef327c782',
  vcek: '63da758de6644564adc5f4b93be8accd',
  vlek: 'a8074bc2a25a483eaae639c045a0b8a1',
  crl: '92f81bc358114d3d97ffd19f88dc67ea',
} as const
const ENTRY_BYTES = 24
const MAX_ENTRIES = 32

/** Hosts write the GUIDs in either byte order, so both are read. */
function nameOfGuid(bytes: Uint8Array): keyof typeof GUIDS | undefined {
  const swapped = Buffer.concat([
    Buffer.from(bytes.subarray(0, 4)).reverse(),
    Buffer.from(bytes.subarray(4, 6)).reverse(),
    Buffer.from(bytes.subarray(6, 8)).reverse(),
    bytes.subarray(8),
  ])
  const forms = [Buffer.from(bytes).toString('hex'), swapped.toString('hex')]
  return (Object.keys(GUIDS) as (keyof typeof GUIDS)[]).find((name) => forms.includes(GUIDS[name]))
}

/** What a host's table holds of a chain, DER. */
export type CertificateTable = Partial<Record<keyof typeof GUIDS, Uint8Array>>

/** Certificates in the host's table; hosts of clouds often give the endorsement key's alone. */
export function readCertificateTable(table: Uint8Array): CertificateTable {
  const view = new DataView(table.buffer, table.byteOffset, table.length)
  const found: CertificateTable = {}
  for (let index = 0; index < MAX_ENTRIES; index++) {
    const at = index * ENTRY_BYTES
    if (at + ENTRY_BYTES > table.length) break
    const guid = table.subarray(at, at + 16)
    if (guid.every((byte) => byte === 0)) break
    const offset = view.getUint32(at + 16, true)
    const length = view.getUint32(at + 20, true)
    const name = nameOfGuid(guid)
    if (name !== undefined && length > 0 && offset + length <= table.length) {
      found[name] = toDer(table.slice(offset, offset + length))
    }
  }
  return found
}

/** Some hosts are given PEM and pass it on. */
function toDer(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0x2d ? (pemBlocks(bytes)[0] ?? bytes) : bytes
}

function pemBlocks(bytes: Uint8Array): Uint8Array[] {
  const text = new TextDecoder().decode(bytes)
  return [...text.matchAll(/-----BEGIN CERTIFICATE-----([\s\S]*?)-----END CERTIFICATE-----/g)].map(
    ([, body]) => new Uint8Array(Buffer.from(body as string, 'base64')),
  )
}

/**
 * The chain of the key that signed a report, and its line's revocation list: what the host gave, and the rest from AMD. A cloud's
 * own key (VLEK) is in the host's table or nowhere, for AMD gives it to that cloud alone. Nothing of it is believed here.
 * @throws AssayError `unreachable`
 */
export async function amdCertificates(
  report: SnpReport,
  line: () => SnpProduct,
  { ark, ask, vcek, vlek, crl }: CertificateTable,
  kdsUrl = AMD_KDS_URL,
): Promise<AmdCertificates> {
  const leaf = report.signer === 'VLEK' ? vlek : vcek
  if (ark !== undefined && ask !== undefined && leaf !== undefined)
    return { certificates: [ark, ask, leaf], crl }
  if (leaf === undefined && report.signer === 'VLEK') {
    throw new AssayError("The report is signed by a cloud's key, whose certificate its host does not give.", {
      code: 'unreachable',
      next: 'Ask the cloud how its hosts give the certificate (VLEK) with an extended report.',
    })
  }
  const product = line()
  const base = `${kdsUrl}/${report.signer === 'VLEK' ? 'vlek' : 'vcek'}/v1/${product}`
  const [endorsement, chain, list] = await Promise.all([
    leaf ?? get(`${base}/${vcekPath(report, product)}`),
    get(`${base}/cert_chain`),
    crl ?? get(`${base}/crl`),
  ])
  const [fetchedAsk, fetchedArk] = pemBlocks(chain)
  if (fetchedAsk === undefined || fetchedArk === undefined) {
    throw new AssayError("AMD's chain has another form than described.", { code: 'malformed' })
  }
  return { certificates: [fetchedArk, fetchedAsk, endorsement], crl: list }
}

/** Chip id and patch levels of the reported TCB; Turin counts its firmware components differently and has short ids. */
function vcekPath({ chipId, reportedTcb }: SnpReport, product: SnpProduct): string {
  const level = (at: number): string => String(reportedTcb[at] as number).padStart(2, '0')
  const turin = product === 'Turin'
  const id = turin ? chipId.slice(2, 18) : chipId.slice(2)
  const levels = turin
    ? { fmcSPL: 0, blSPL: 1, teeSPL: 2, snpSPL: 3, ucodeSPL: 7 }
    : { blSPL: 0, teeSPL: 1, snpSPL: 6, ucodeSPL: 7 }
  return `${id}?${Object.entries(levels)
    .map(([name, at]) => `${name}=${level(at)}`)
    .join('&')}`
}

async function get(url: string): Promise<Uint8Array> {
  const { status, body } = await exchange({ url, maxBytes: MAX_ANSWER_BYTES })
  if (status === 200) return body
  throw new AssayError("AMD's key distribution service does not give a certificate of this chip.", {
    code: 'unreachable',
    facts: { url: url.slice(0, 200), status },
    next: 'Try again in a minute, or let the host give the certificates with the report.',
  })
}

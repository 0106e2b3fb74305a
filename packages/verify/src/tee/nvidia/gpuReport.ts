import { bytesToHex, type Hex } from 'viem'
import { Reader } from '../reader.ts'

/** Reports of H100 have about 4,300 bytes. */
const MAX_REPORT_BYTES = 65_536
/** GET_MEASUREMENTS with nonce and slot (DSP0274 1.1, table 42). */
const REQUEST_BYTES = 37
const SIGNATURE_BYTES = 96
const FIRMWARE_ID_BYTES = 48
/** H100 measures by SHA-384; the form leaves room for raw values. */
const MAX_MEASUREMENT_BYTES = 1024

/** Fields of the vendor's opaque data that are read here. */
const OPAQUE = { driverVersion: 3, vbiosVersion: 6, nvdec0: 11, firmwareId: 20 } as const
/** NVDEC0 switched off; its register then holds no meaning. */
const NVDEC0_DISABLED = 0x55

/** An SPDM 1.1 GET_MEASUREMENTS exchange as NVIDIA's driver hands it out: request, then signed response. */
export type GpuReport = {
  /** What the caller asked with. */
  nonce: Hex
  /** Slot of the certificate chain. */
  slot: number
  /** Value by index, a digest of 48 bytes on every GPU so far; counted from 0 as NVIDIA's RIM files do (the wire counts from 1). */
  measurements: ReadonlyMap<number, Hex>
  driverVersion: string | undefined
  vbiosVersion: Hex | undefined
  /** Digest of the firmware that holds the signing key; older drivers, and a Blackwell's own processor (FSP), do not say. */
  firmwareId: Hex | undefined
  /** Register 35 belongs to this decoder and counts only while it is on. */
  nvdec0Disabled: boolean
  /** What the signature covers: the request and the response up to the signature. */
  signed: Uint8Array
  /** r ‖ s. */
  signature: Uint8Array
}

/** @throws Error unless the next byte is this */
function expectNext(reader: Reader, wanted: number, what: string): void {
  const found = reader.number(1, what)
  if (found !== wanted) throw new Error(`${what} is ${found}, not ${wanted}`)
}

function readMeasurements(record: Uint8Array, blocks: number): ReadonlyMap<number, Hex> {
  const found = new Map<number, Hex>()
  const reader = new Reader(record)
  for (let block = 0; block < blocks; block++) {
    const index = reader.number(1, 'the index of a measurement') - 1
    expectNext(reader, 1, 'the measurement specification')
    const size = reader.number(2, 'the size of a measurement')
    const measurement = new Reader(reader.bytes(size, 'a measurement'))
    measurement.bytes(1, 'its type') // what was measured, and whether the value is a digest or raw
    const value = measurement.hex(measurement.number(2, 'the size of its value'), 'its value')
    if (measurement.left > 0 || size > MAX_MEASUREMENT_BYTES || index < 0 || found.has(index))
      throw new Error('a measurement block is odd')
    found.set(index, value)
  }
  if (reader.left > 0 || found.size === 0) throw new Error('the measurement record is odd')
  return found
}

const READ: readonly number[] = Object.values(OPAQUE)

/** Type → value. Types may repeat only where they are not read here. */
function readOpaque(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  const reader = new Reader(bytes)
  while (reader.left > 0) {
    const type = reader.number(2, 'the type of opaque data')
    const value = reader.bytes(reader.number(2, 'the size of opaque data'), 'opaque data')
    if (found.has(type) && READ.includes(type)) throw new Error(`opaque field ${type} occurs twice`)
    found.set(type, value)
  }
  return found
}

function text(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined
  const end = bytes.indexOf(0)
  const plain = bytes.subarray(0, end === -1 ? bytes.length : end)
  if (plain.length > 64 || plain.some((byte) => byte < 0x20 || byte > 0x7e)) throw new Error('an odd version')
  return String.fromCharCode(...plain)
}

/** Reads the exchange and says nothing yet about whether it may be believed. @throws Error */
export function parseGpuReport(bytes: Uint8Array): GpuReport {
  if (bytes.length > MAX_REPORT_BYTES) throw new Error(`the report has ${bytes.length} bytes`)
  const request = new Reader(bytes.subarray(0, REQUEST_BYTES))
  expectNext(request, 0x11, "the request's SPDM version")
  expectNext(request, 0xe0, 'the request code (GET_MEASUREMENTS)')
  if ((request.number(1, 'the attributes asked for') & 1) !== 1) throw new Error('no signature was asked for')
  request.bytes(1, 'the measurements asked for') // which measurements were asked for: a golden value that is missing fails later
  const nonce = request.hex(32, 'the nonce')
  const slot = request.number(1, 'the slot') & 0x0f

  const response = new Reader(bytes.subarray(REQUEST_BYTES))
  expectNext(response, 0x11, "the response's SPDM version")
  expectNext(response, 0x60, 'the response code (MEASUREMENTS)')
  response.bytes(2, 'two parameters')
  const blocks = response.number(1, 'the number of measurements')
  const record = response.bytes(response.number(3, 'the size of the measurements'), 'the measurements')
  const measurements = readMeasurements(record, blocks)
  response.bytes(32, "the GPU's own nonce")
  const opaque = readOpaque(response.bytes(response.number(2, 'the size of opaque data'), 'opaque data'))
  const signature = response.bytes(SIGNATURE_BYTES, 'the signature')
  if (response.left > 0) throw new Error('bytes behind the signature')
  const vbios = opaque.get(OPAQUE.vbiosVersion)
  const firmware = opaque.get(OPAQUE.firmwareId)
  if (firmware !== undefined && firmware.length !== FIRMWARE_ID_BYTES) {
    throw new Error(`the firmware id has ${firmware.length} bytes, not ${FIRMWARE_ID_BYTES}`)
  }
  return {
    nonce,
    slot,
    measurements,
    driverVersion: text(opaque.get(OPAQUE.driverVersion)),
    vbiosVersion: vbios === undefined ? undefined : bytesToHex(vbios),
    firmwareId: firmware === undefined ? undefined : bytesToHex(firmware),
    nvdec0Disabled: opaque.get(OPAQUE.nvdec0)?.[0] === NVDEC0_DISABLED,
    signed: bytes.subarray(0, bytes.length - SIGNATURE_BYTES),
    signature,
  }
}

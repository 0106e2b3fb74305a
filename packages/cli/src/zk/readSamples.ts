/**
 * Data for a model, from a file: JSON, CSV or NumPy's .npy. A sample is a flat list of numbers, as the ONNX model takes
 * them. Without being told otherwise, nothing is normalised: the model does that.
 */
import { CliError, EXIT } from '../cliError.ts'
import { readUserFile } from '../userFile.ts'

export type Samples = {
  /** To calibrate on; the same as `inputs` where the file does not keep them apart. */
  calibrate: readonly (readonly number[])[]
  inputs: readonly (readonly number[])[]
  labels: readonly number[] | undefined
}

const MAX_BYTES = 2 ** 28
const MAX_VALUES = 2 ** 27

function refuse(file: string, message: string, facts: Record<string, unknown> = {}): never {
  throw new CliError(message, {
    exitCode: EXIT.failed,
    code: 'bad_data',
    facts: { file, ...facts },
    next: 'give JSON ([[…], …] or {"inputs":[[…]],"labels":[…],"calibrate":[[…]]}), CSV (a column named label), or .npy',
  })
}

/** @throws CliError */
export function readSamples(file: string): Samples {
  const bytes = readUserFile(file, MAX_BYTES, 'a data file')
  if (file.endsWith('.npy')) return whole(readNpy(file, bytes))
  const text = new TextDecoder().decode(bytes)
  return file.endsWith('.csv') ? readCsv(file, text) : readJson(file, text)
}

const whole = (inputs: number[][], labels?: number[]): Samples => ({ calibrate: inputs, inputs, labels })

function rows(file: string, name: string, value: unknown): number[][] {
  if (!Array.isArray(value)) return refuse(file, `The data has no list of ${name}.`)
  return value.map((row: unknown, at) => {
    const flat: unknown[] = Array.isArray(row) ? row.flat(8) : [row]
    if (flat.some((x) => typeof x !== 'number' || !Number.isFinite(x)))
      refuse(file, `A row of ${name} holds something that is no number.`, { row: at })
    return flat as number[]
  })
}

function readJson(file: string, text: string): Samples {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refuse(file, 'The data is no JSON.')
  }
  if (Array.isArray(value)) {
    const single = value.length > 0 && value.every((x) => typeof x === 'number')
    return whole(rows(file, 'inputs', single ? [value] : value))
  }
  if (typeof value !== 'object' || value === null)
    return refuse(file, 'The data is neither a list nor an object.')
  const { inputs, labels, calibrate } = value as Record<string, unknown>
  const samples = rows(file, 'inputs', inputs)
  return {
    inputs: samples,
    calibrate: calibrate === undefined ? samples : rows(file, 'calibrate', calibrate),
    labels: labels === undefined ? undefined : rows(file, 'labels', labels).map(([label]) => label as number),
  }
}

/** A first line that is not all numbers names the columns; one named `label` is the label. */
function readCsv(file: string, text: string): Samples {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const cells = lines.map((line) => line.split(',').map((cell) => cell.trim()))
  const numeric = (cell: string) => cell !== '' && Number.isFinite(Number(cell))
  const head = cells[0]?.every(numeric) === false ? cells.shift() : undefined
  const label = head?.findIndex((name) => name.toLowerCase() === 'label') ?? -1
  const labels: number[] = []
  const inputs = cells.map((row, at) => {
    if (!row.every(numeric) || row.length !== cells[0]?.length)
      refuse(file, 'A line of the CSV is not a row of numbers like the first.', { line: at + (head ? 2 : 1) })
    const numbers = row.map(Number)
    if (label >= 0) labels.push(numbers.splice(label, 1)[0] as number)
    return numbers
  })
  return whole(inputs, label >= 0 ? labels : undefined)
}

/** NumPy's own format, version 1 to 3, little-endian, rows first. */
function readNpy(file: string, bytes: Uint8Array): number[][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const version = bytes[6] ?? 0
  const wide = version >= 2
  if (bytes.length < 12 || view.getUint32(0) !== 0x934e554d || version < 1 || version > 3)
    refuse(file, 'This is no .npy file.')
  const start = wide ? 12 + view.getUint32(8, true) : 10 + view.getUint16(8, true)
  if (start > bytes.length) refuse(file, 'The .npy file ends within its header.')
  const header = new TextDecoder('latin1').decode(bytes.subarray(wide ? 12 : 10, start))
  const type = /'descr':\s*'([<|][fiu][1248])'/.exec(header)?.[1]
  const sides = /'shape':\s*\(([\d, ]*)\)/
    .exec(header)?.[1]
    ?.split(',')
    .map(Number)
    .filter((side) => side > 0)
  if (
    type === undefined ||
    sides === undefined ||
    sides.length === 0 ||
    /'fortran_order':\s*True/.test(header)
  )
    refuse(file, 'The .npy file is not a little-endian array of numbers, rows first.', {
      header: header.slice(0, 120),
    })
  const readers: Record<string, (at: number) => number> = {
    f4: (at) => view.getFloat32(at, true),
    f8: (at) => view.getFloat64(at, true),
    i1: (at) => view.getInt8(at),
    u1: (at) => view.getUint8(at),
    i2: (at) => view.getInt16(at, true),
    u2: (at) => view.getUint16(at, true),
    i4: (at) => view.getInt32(at, true),
    u4: (at) => view.getUint32(at, true),
    i8: (at) => Number(view.getBigInt64(at, true)),
  }
  const read = readers[(type as string).slice(1)]
  const size = Number((type as string).at(-1))
  const [count, ...rest] = sides as [number, ...number[]]
  const width = rest.reduce((a, b) => a * b, 1)
  if (read === undefined || count * width > MAX_VALUES || start + count * width * size !== bytes.length)
    return refuse(file, 'The .npy file does not hold as many numbers as its shape says.', {
      shape: sides?.join('×'),
    })
  const values = Array.from({ length: count }, (_, row) =>
    Array.from({ length: width }, (_, at) => read(start + (row * width + at) * size)),
  )
  return rows(file, 'inputs', values)
}

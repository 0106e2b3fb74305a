/**
 * The canonical bytes of an architecture: signed 32-bit big-endian integers in a fixed order, no optional fields. One
 * architecture has one encoding, and `decodeArchitecture` accepts no other.
 */
import { ZkmlError } from '../errors.ts'
import type { Architecture, Indices, Multipliers, Node, Padding, Requantise, Window } from './architecture.ts'
import { checkArchitecture, LIMITS } from './checkArchitecture.ts'

const MAGIC = 0x415a4d33 // "AZM3"
const OPS = ['dense', 'conv2d', 'sumPool', 'maxPool', 'combine', 'map', 'contract'] as const
/** Multipliers, and offsets, of all nodes together are bounded as those of one node are, times eight. */
const MAX_WORDS = 16 + LIMITS.nodes * (32 + 256) + 8 * (LIMITS.multipliers + LIMITS.offsets)

function requantiseWords(requantise: Requantise | null): number[] {
  if (requantise === null) return [0]
  const { multiplier, shift, zeroPoint, low, high, reach } = requantise
  return [1, multiplier, shift, zeroPoint, low, high, reach]
}

const multiplierWords = (multipliers: Multipliers | undefined) => [
  multipliers?.length ?? 0,
  ...(multipliers ?? []),
]
const windowWords = (window: Window) => [window.height, window.width, window.strideY, window.strideX]
const paddingWords = (padding: Padding) => [padding.top, padding.left, padding.bottom, padding.right]

function nodeWords(node: Node): number[] {
  const code = OPS.indexOf(node.op)
  switch (node.op) {
    case 'dense':
      return [
        code,
        node.input,
        node.units,
        ...multiplierWords(node.multipliers),
        ...requantiseWords(node.requantise),
      ]
    case 'conv2d': {
      const geometry = [...windowWords(node.window), ...paddingWords(node.padding), node.groups ?? 1]
      return [
        code,
        node.input,
        node.channels,
        ...geometry,
        ...multiplierWords(node.multipliers),
        ...requantiseWords(node.requantise),
      ]
    }
    case 'sumPool':
      return [code, node.input, ...windowWords(node.window), ...requantiseWords(node.requantise)]
    case 'maxPool':
      return [code, node.input, ...windowWords(node.window)]
    case 'map':
      return [code, node.input, node.zeroPoint, ...node.values]
    case 'combine': {
      const terms = node.terms.flatMap((term) => [term.input, term.multiplier])
      const offsets = [node.offsets?.length ?? 0, ...(node.offsets ?? [])]
      return [code, node.terms.length, ...terms, ...offsets, ...requantiseWords(node.requantise)]
    }
    case 'contract': {
      const { left, right } = node
      const operands = [left.input, ...left.indices, right.input, ...right.indices, ...node.output]
      return [code, node.groups, ...operands, ...requantiseWords(node.requantise)]
    }
  }
}

export function encodeArchitecture(architecture: Architecture): Uint8Array {
  const { channels, height, width, zeroPoint } = architecture.input
  const words = [MAGIC, channels, height, width, zeroPoint, architecture.nodes.length]
  for (const node of architecture.nodes) for (const word of nodeWords(node)) words.push(word)
  const bytes = new Uint8Array(4 * words.length)
  const view = new DataView(bytes.buffer)
  for (const [at, word] of words.entries()) view.setInt32(4 * at, word)
  return bytes
}

/** @throws ZkmlError bad_architecture when the bytes are no architecture, or not the encoding of the one they hold */
export function decodeArchitecture(bytes: Uint8Array): Architecture {
  const refuse = (message: string): never => {
    throw new ZkmlError('bad_architecture', message, { bytes: bytes.length })
  }
  if (bytes.length % 4 !== 0 || bytes.length > 4 * MAX_WORDS)
    refuse('the length of the encoding is impossible')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const next = (): number => {
    if (at + 4 > bytes.length) refuse('the encoding ends too early')
    at += 4
    return view.getInt32(at - 4)
  }
  const requantise = (): Requantise | null => {
    const present = next()
    if (present !== 0 && present !== 1) refuse('a flag is neither 0 nor 1')
    if (present === 0) return null
    return {
      multiplier: next(),
      shift: next(),
      zeroPoint: next(),
      low: next(),
      high: next(),
      reach: next(),
    }
  }
  const needed = (found: Requantise | null): Requantise => found ?? refuse('this operator must requantise')
  const window = (): Window => ({ height: next(), width: next(), strideY: next(), strideX: next() })
  const padding = (): Padding => ({ top: next(), left: next(), bottom: next(), right: next() })
  // What is absent in an architecture is 1 group, or 0 multipliers or offsets, in its encoding.
  const groups = (): { groups?: number } => {
    const count = next()
    return count === 1 ? {} : { groups: count }
  }
  const multipliers = (): { multipliers?: number[] } => {
    const count = next()
    if (count < 0 || count > LIMITS.multipliers) refuse('the number of multipliers is impossible')
    return count === 0 ? {} : { multipliers: Array.from({ length: count }, next) }
  }
  const offsets = (): { offsets?: number[] } => {
    const count = next()
    if (count < 0 || count > LIMITS.offsets) refuse('the number of offsets is impossible')
    return count === 0 ? {} : { offsets: Array.from({ length: count }, next) }
  }
  const indices = (): Indices => [next(), next(), next(), next()]
  const node = (): Node => {
    const op = OPS[next()]
    switch (op) {
      case 'dense':
        return { op, input: next(), units: next(), ...multipliers(), requantise: requantise() }
      case 'conv2d':
        return {
          op,
          input: next(),
          channels: next(),
          window: window(),
          padding: padding(),
          ...groups(),
          ...multipliers(),
          requantise: requantise(),
        }
      case 'sumPool':
        return { op, input: next(), window: window(), requantise: needed(requantise()) }
      case 'maxPool':
        return { op, input: next(), window: window() }
      case 'map':
        return { op, input: next(), zeroPoint: next(), values: Array.from({ length: 256 }, next) }
      case 'combine': {
        const count = next()
        if (count < 1 || count > LIMITS.terms) refuse('a combination has an impossible number of terms')
        const terms = Array.from({ length: count }, () => ({ input: next(), multiplier: next() }))
        return { op, terms, ...offsets(), requantise: needed(requantise()) }
      }
      case 'contract':
        return {
          op,
          groups: next(),
          left: { input: next(), indices: indices() },
          right: { input: next(), indices: indices() },
          output: indices(),
          requantise: needed(requantise()),
        }
      default:
        return refuse('an operator is unknown')
    }
  }
  if (next() !== MAGIC) refuse('the encoding is of another format')
  const input = { channels: next(), height: next(), width: next(), zeroPoint: next() }
  const count = next()
  if (count < 1 || count > LIMITS.nodes) refuse('the number of nodes is impossible')
  const nodes = Array.from({ length: count }, node)
  if (at !== bytes.length) refuse('bytes are left over')
  const architecture = { input, nodes }
  checkArchitecture(architecture)
  return architecture
}

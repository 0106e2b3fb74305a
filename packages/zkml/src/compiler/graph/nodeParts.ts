/** What an ONNX node says of itself, and how it is refused. */
import { ZkmlError } from '../../errors.ts'
import type { OnnxNode } from '../onnx/onnxModel.ts'

/** @throws ZkmlError cannot_compile, naming the node and its operator */
export function cannot(
  node: Pick<OnnxNode, 'name' | 'op'>,
  what: string,
  facts: Record<string, unknown> = {},
  next?: string,
): never {
  throw new ZkmlError('cannot_compile', `node ${node.name} (${node.op}) ${what}`, facts, next)
}

export function numberOf(node: OnnxNode, name: string, fallback: number): number {
  const found = node.attributes.get(name)
  if (found === undefined) return fallback
  return found.kind === 'number' ? found.value : cannot(node, `has an attribute ${name} of another type`)
}

export function numbersOf(node: OnnxNode, name: string): readonly number[] | undefined {
  const found = node.attributes.get(name)
  if (found === undefined) return undefined
  return found.kind === 'numbers' ? found.value : cannot(node, `has an attribute ${name} of another type`)
}

export function textOf(node: OnnxNode, name: string, fallback: string): string {
  const found = node.attributes.get(name)
  if (found === undefined) return fallback
  return found.kind === 'text' ? found.value : cannot(node, `has an attribute ${name} of another type`)
}

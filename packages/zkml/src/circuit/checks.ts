/** How a rule of architectures says that it is broken. */
import { ZkmlError } from '../errors.ts'

/** @throws ZkmlError bad_architecture */
export function fail(message: string, facts: Record<string, unknown>): never {
  throw new ZkmlError('bad_architecture', message, facts)
}

/** @throws ZkmlError bad_architecture */
export function integer(
  name: string,
  value: number,
  low: number,
  high: number,
  facts: Record<string, unknown>,
): void {
  if (!Number.isInteger(value) || value < low || value > high)
    fail(`${name} must be an integer from ${low} to ${high}`, { ...facts, [name]: value })
}

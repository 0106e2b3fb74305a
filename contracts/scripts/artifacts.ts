/** Compiled contracts, as compile.ts left them on disk. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** ABI and code of one contract; both codes are 0x-hex, `bytecode` being the creation code without arguments. */
export interface Artifact {
  abi: readonly unknown[]
  bytecode: `0x${string}`
  deployedBytecode: `0x${string}`
}

function isArtifact(value: unknown): value is Artifact {
  if (value === null || typeof value !== 'object') return false
  const { abi, bytecode, deployedBytecode } = value as Record<string, unknown>
  const isHex = (code: unknown) => typeof code === 'string' && code.startsWith('0x')
  return Array.isArray(abi) && isHex(bytecode) && isHex(deployedBytecode)
}

/**
 * Reads the artifact of a contract by its name, such as `Settlement`.
 * Throws when the contract was never compiled or its file is not an artifact.
 */
export function loadArtifact(name: string): Artifact {
  if (!/^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name)) throw new Error(`"${name}" is not the name of a contract.`)
  const again = 'Run `npm run compile --workspace contracts` and try again.'
  let text: string
  try {
    text = readFileSync(new URL(`../artifacts/${name}.json`, import.meta.url), 'utf8')
  } catch (cause) {
    throw new Error(`No artifact of ${name}: the contracts are not compiled. ${again}`, { cause })
  }
  const parsed: unknown = JSON.parse(text)
  if (!isArtifact(parsed)) throw new Error(`The artifact of ${name} is damaged. ${again}`)
  return parsed
}

/** SHA-256 of the creation codes of these contracts, in this order: the same for the same code, whatever its comments. */
export function codeVersion(names: readonly string[]): `0x${string}` {
  const hash = createHash('sha256')
  for (const name of names) hash.update(`${name} ${loadArtifact(name).bytecode} `)
  return `0x${hash.digest('hex')}`
}

/** What shows a hidden input to whoever is given it with the input: the seed of its masks, in a file beside the proof. */
import { CliError, EXIT } from '../cliError.ts'
import { writeFileAtomic } from '../up/writeFileAtomic.ts'
import { readUserFile } from '../userFile.ts'

const SEED = /^0x[0-9a-f]{64}$/
const MAX_BYTES = 1024

/** A fresh seed for the input of the proof that will be written to `proofFile`. */
export function writeOpening(proofFile: string): Uint8Array {
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const content = { seed: `0x${Buffer.from(seed).toString('hex')}` }
  writeFileAtomic(`${proofFile}.opening`, `${JSON.stringify(content)}\n`)
  return seed
}

/** @throws CliError */
export function readOpening(file: string): Uint8Array {
  const text = new TextDecoder().decode(readUserFile(file, MAX_BYTES, 'the opening of an input'))
  try {
    const { seed } = Object(JSON.parse(text)) as Record<string, unknown>
    if (typeof seed === 'string' && SEED.test(seed)) return Buffer.from(seed.slice(2), 'hex')
  } catch {
    // No JSON: refused below.
  }
  throw new CliError('This is no opening of an input.', {
    exitCode: EXIT.failed,
    code: 'bad_opening',
    facts: { file },
    next: 'name the file that `assay zk prove --hide-input` wrote beside the proof',
  })
}

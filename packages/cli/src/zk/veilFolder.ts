/**
 * What hides a model, in a folder beside it: the seed of its masks, and a file for each mask that was spent. A mask is
 * claimed by creating its file, which only one process can, and the file is on disk before anything is said under the mask.
 * Whoever has the folder and the weights recomputes the root; whoever has it and a guess at the weights can check the guess.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import path from 'node:path'
import { MOST_PROOFS } from '@assay/zkml/verifier'
import { CliError, EXIT } from '../cliError.ts'
import { writeFileAtomic } from '../up/writeFileAtomic.ts'

export type Veil = { folder: string; seed: Uint8Array; proofs: number }

export const DEFAULT_PROOFS = 16
const SEED = /^0x[0-9a-f]{64}$/

const isCount = (proofs: number) => Number.isInteger(proofs) && proofs >= 1 && proofs <= MOST_PROOFS
const fileOf = (folder: string) => path.join(folder, 'veil.json')

/** @throws CliError when there is none, or it is not ours */
export function readVeil(folder: string): Veil {
  const refuse = (message: string): never => {
    throw new CliError(message, {
      exitCode: EXIT.failed,
      code: 'bad_veil',
      facts: { folder },
      next: 'name the folder that `assay zk prove --hiding` made for this model: --veil FOLDER',
    })
  }
  if (!existsSync(fileOf(folder))) return refuse('There is no folder with the masks of the model.')
  let value: unknown
  try {
    value = JSON.parse(readFileSync(fileOf(folder), 'utf8'))
  } catch {
    return refuse('The masks of the model cannot be read.')
  }
  const { seed, proofs } = Object(value) as Record<string, unknown>
  if (typeof seed !== 'string' || !SEED.test(seed) || typeof proofs !== 'number' || !isCount(proofs))
    return refuse('The masks of the model are not as this program writes them.')
  return { folder, seed: Buffer.from(seed.slice(2), 'hex'), proofs }
}

/** The model's veil; a new one, good for `proofs` proofs, where there is none. @throws CliError */
export function openVeil(folder: string, proofs: number | undefined): Veil {
  if (proofs !== undefined && !isCount(proofs))
    throw new CliError(`Masks are good for 1 to ${MOST_PROOFS} proofs.`, {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: { proofs },
    })
  if (!existsSync(fileOf(folder))) createVeil(folder, proofs ?? DEFAULT_PROOFS)
  const veil = readVeil(folder)
  if (proofs !== undefined && proofs !== veil.proofs)
    throw new CliError('The model was committed to for another number of proofs, which its root says.', {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: { folder, proofs: veil.proofs, asked: proofs },
      next: 'leave --proofs out, or name a new folder: --veil FOLDER',
    })
  return veil
}

/** Of several that create it at once, one does: a file is linked whole, and to a name that is free. */
function createVeil(folder: string, proofs: number): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const seed = `0x${crypto.getRandomValues(Buffer.alloc(32)).toString('hex')}`
  const draft = path.join(folder, `${process.pid}.draft`)
  writeFileAtomic(draft, `${JSON.stringify({ proofs, seed })}\n`)
  try {
    linkSync(draft, fileOf(folder))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  }
  rmSync(draft)
  syncFolder(folder)
}

/** Spends a mask, for good. @throws CliError when none is left */
export function spendMask({ folder, proofs }: Veil): number {
  for (let use = 0; use < proofs; use++) {
    try {
      const spent = openSync(path.join(folder, `spent-${use}`), 'wx', 0o600)
      fsyncSync(spent)
      closeSync(spent)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw cause
    }
    syncFolder(folder)
    return use
  }
  throw new CliError('All masks of this commitment are spent: one more proof could show weights.', {
    exitCode: EXIT.failed,
    code: 'masks_spent',
    facts: { folder, proofs },
    next: 'commit to the weights anew: --veil FOLDER, a new one, with --proofs as many as will be needed. The root changes',
  })
}

/** A file is there after a crash once its folder is on disk too. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

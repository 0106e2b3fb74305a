import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AssayError } from '@assay/protocol'

/** Where Linux (6.7 and later) offers reports of confidential machines: Documentation/ABI/testing/configfs-tsm-report. */
const TSM_REPORT_FOLDER = '/sys/kernel/config/tsm/report'

/** The four operations that the interface is made of; those of node:fs/promises by default. */
export type TsmFiles = {
  mkdir: (path: string) => Promise<unknown>
  writeFile: (path: string, data: Uint8Array | string) => Promise<void>
  readFile: (path: string) => Promise<Uint8Array>
  rmdir: (path: string) => Promise<void>
}

export type TsmReport = {
  /** The report, as its provider writes it. */
  outblob: Uint8Array
  /** What the host gives with it, certificates for `sev_guest`; undefined where there is nothing. */
  auxblob: Uint8Array | undefined
}

export type ReadTsmParameters = {
  folder?: string | undefined
  /** Driver that must answer: `tdx_guest` or `sev_guest`. */
  provider: 'tdx_guest' | 'sev_guest'
  /** 64 bytes. */
  reportData: Uint8Array
  files?: TsmFiles | undefined
}

/** configfs makes the attributes with the folder: a name that is not there must fail, not be created. */
const SYSTEM: TsmFiles = {
  mkdir: (path) => mkdir(path),
  writeFile: (path, data) => writeFile(path, data, { flag: 'r+' }),
  readFile: (path) => readFile(path),
  rmdir: (path) => rmdir(path),
}

/**
 * Asks the kernel for one report over 64 bytes, in an entry of its own. The generation counter shows that nobody else
 * wrote to the entry between our write and our read.
 * @throws AssayError `config` where this machine has no such device, `unreachable` where it does not answer
 */
export async function readTsmReport(parameters: ReadTsmParameters): Promise<TsmReport> {
  const { folder = TSM_REPORT_FOLDER, provider, reportData, files = SYSTEM } = parameters
  const entry = join(folder, `assay-${crypto.randomUUID()}`)
  const text = async (name: string) =>
    Buffer.from(await files.readFile(join(entry, name)))
      .toString()
      .trim()
  try {
    await files.mkdir(entry)
  } catch (cause) {
    throw new AssayError('This machine offers no attestation reports.', {
      code: 'config',
      facts: { folder, reason: reasonOf(cause) },
      next: 'Run inside the confidential machine, with configfs mounted and its TSM driver loaded: docs/run-in-tee.md',
      cause,
    })
  }
  try {
    const found = await text('provider')
    if (found !== provider) {
      throw new AssayError('The attestation device is of another kind.', {
        code: 'config',
        facts: { expected: provider, found: found.slice(0, 64) },
        next: 'Set ASSAY_ENCLAVE to what this machine is: tdx or snp',
      })
    }
    const before = Number(await text('generation'))
    await files.writeFile(join(entry, 'inblob'), reportData)
    const outblob = new Uint8Array(await files.readFile(join(entry, 'outblob')))
    const auxblob = await files.readFile(join(entry, 'auxblob')).catch(() => undefined)
    const after = Number(await text('generation'))
    if (!Number.isInteger(before) || after !== before + 1) {
      throw unanswered(`the generation went from ${before} to ${after} by one write`)
    }
    return {
      outblob,
      auxblob: auxblob === undefined || auxblob.length === 0 ? undefined : new Uint8Array(auxblob),
    }
  } catch (error) {
    throw error instanceof AssayError ? error : unanswered(reasonOf(error), error)
  } finally {
    // The kernel holds an entry until it is removed; one that cannot be is no reason to lose the report.
    await files.rmdir(entry).catch(() => undefined)
  }
}

function unanswered(reason: string, cause?: unknown): AssayError {
  return new AssayError('The attestation device gave no report.', {
    code: 'unreachable',
    facts: { reason },
    cause,
  })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error)
}

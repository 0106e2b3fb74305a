import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { TsmFiles } from '../src/enclaves/configfsTsm.ts'

/** What the stand-in does when a report is asked for. */
export type TsmHardware = {
  provider: string
  /** outblob over 64 bytes. */
  report: (reportData: Uint8Array) => Uint8Array
  auxblob?: Uint8Array | undefined
  /** Called before outblob is read: where another process may write to the same entry. */
  beforeRead?: ((entry: string) => Promise<void>) | undefined
}

/**
 * A folder that behaves as /sys/kernel/config/tsm/report does (Linux, Documentation/ABI/testing/configfs-tsm-report):
 * making an entry makes its attributes; no other file can be made in it; a write to inblob raises the generation;
 * outblob exists once inblob was written; an entry goes away whole.
 */
export function tsmDirectory(hardware: TsmHardware): { files: TsmFiles; entries: string[] } {
  const entries: string[] = []
  const generation = async (entry: string): Promise<number> =>
    Number((await readFile(join(entry, 'generation'))).toString())
  return {
    entries,
    files: {
      async mkdir(path) {
        await mkdir(path)
        entries.push(path)
        await writeFile(join(path, 'provider'), `${hardware.provider}\n`)
        await writeFile(join(path, 'generation'), '0\n')
        await writeFile(join(path, 'inblob'), '')
        await writeFile(join(path, 'outblob'), '')
        await writeFile(join(path, 'auxblob'), hardware.auxblob ?? '')
      },
      async writeFile(path, data) {
        const entry = dirname(path)
        if (!entries.includes(entry) || basename(path) !== 'inblob') throw errno('EACCES')
        if (data.length === 0 || data.length > 64) throw errno('EINVAL')
        await writeFile(path, data, { flag: 'r+' })
        await writeFile(join(entry, 'generation'), `${(await generation(entry)) + 1}\n`)
      },
      async readFile(path) {
        const entry = dirname(path)
        if (basename(path) === 'inblob') throw errno('EACCES')
        if (basename(path) !== 'outblob') return readFile(path)
        await hardware.beforeRead?.(entry)
        if ((await generation(entry)) === 0) throw errno('EINVAL')
        return hardware.report(await readFile(join(entry, 'inblob')))
      },
      async rmdir(path) {
        entries.splice(entries.indexOf(path), 1)
        await rm(path, { recursive: true })
      },
    },
  }
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code })
}

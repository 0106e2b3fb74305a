import { runCli } from '../src/index.ts'

/** Runs a command of `assay` in this process, as a pipe would see it. */
export async function runAssay(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await runCli(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    isTerminal: false,
  })
  return { code, out, err }
}

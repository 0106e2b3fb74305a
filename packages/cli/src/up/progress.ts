import type { Output } from '../output.ts'

/** Lines that say what is being done; on a terminal the current one is redrawn in place. */
export type Progress = {
  /** Runs one step under a label; `detail` shows how far it is. Returns what the step returns. */
  step<T>(
    label: string,
    run: (detail: (text: string) => void) => Promise<T>,
    done?: (value: T) => string,
  ): Promise<T>
  /** A line of its own, e.g. about a restart. */
  note(text: string): void
}

const LABEL_WIDTH = 12
/** Where nothing can be redrawn, a detail is repeated at most this often. */
const PLAIN_DETAIL_MILLISECONDS = 5000

export function createProgress(output: Output): Progress {
  return {
    async step(label, run, done) {
      const started = performance.now()
      const head = label.padEnd(LABEL_WIDTH)
      let lastPlain = started
      const detail = (text: string) => {
        if (output.isTerminal) output.err(`\r\u001b[2K  … ${head} ${text}`)
        else if (performance.now() - lastPlain >= PLAIN_DETAIL_MILLISECONDS) {
          lastPlain = performance.now()
          output.err(`  … ${head} ${text}\n`)
        }
      }
      const end = (mark: string, text: string) =>
        output.err(`${output.isTerminal ? '\r\u001b[2K' : ''}  ${mark} ${head} ${text}\n`)
      if (output.isTerminal) detail('')
      try {
        const value = await run(detail)
        const seconds = ((performance.now() - started) / 1000).toFixed(1)
        end('✓', `${done?.(value) ?? 'ready'} (${seconds} s)`)
        return value
      } catch (error) {
        end('✗', 'failed')
        throw error
      }
    },
    note: (text) => output.err(`  • ${text}\n`),
  }
}

/** A bar for work of known size, e.g. `[#####-----] 52 % 47 of 90 MB`. */
export function progressBar(done: number, total: number): string {
  const share = total > 0 ? Math.min(1, done / total) : 0
  const filled = Math.round(share * 24)
  const megabytes = (bytes: number) => Math.round(bytes / 1e6)
  return `[${'#'.repeat(filled)}${'-'.repeat(24 - filled)}] ${Math.round(share * 100)} % ${megabytes(done)} of ${megabytes(total)} MB`
}

import { waitForExit } from '@assay/chain'
import type { Command } from 'commander'
import { CliError, EXIT } from '../cliError.ts'
import { assayHome } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { reapChildren } from '../up/childrenFile.ts'
import { lockHolder } from '../up/lock.ts'

const STOP_MILLISECONDS = 30_000

export function registerDown(program: Command, context: CommandContext): void {
  program
    .command('down')
    .description('Stop the local network; its data stays.')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }) => {
      const home = assayHome()
      const holder = lockHolder(home.lockFile)
      if (holder !== undefined) {
        process.kill(holder.pid, 'SIGTERM')
        if (!(await waitForExit(holder, STOP_MILLISECONDS))) {
          throw new CliError('The network did not stop in time.', {
            exitCode: EXIT.failed,
            code: 'still_running',
            facts: { pid: holder.pid, waitedSeconds: STOP_MILLISECONDS / 1000 },
            next: `See ${home.logs}, then end it with: kill -9 ${holder.pid}; assay down`,
          })
        }
      }
      const left = await reapChildren(home.childrenFile)
      const stopped = holder !== undefined || left > 0
      if (options.json === true) context.output.out(toJsonText({ stopped, leftovers: left }))
      else
        context.output.out(
          stopped
            ? `Stopped. Data stays in ${home.root}; npm start continues where it was.\n`
            : 'Nothing was running.\n',
        )
    })
}

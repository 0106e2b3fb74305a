import { BATCH_STATE } from '@assay/verify'
import { type Command, InvalidArgumentError } from 'commander'
import { type Hex, isHash } from 'viem'
import { auditBatch } from '../audit/auditBatch.ts'
import { describeAudit } from '../audit/describeAudit.ts'
import { EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'

export function registerAudit(program: Command, context: CommandContext): void {
  program
    .command('audit')
    .description('What became of a batch: who said what of it, what was proven, who paid and who was paid.')
    .argument('<batch id>', '0x and 64 hex digits', batchId)
    .option('--network <file>', 'network.json of another network')
    .option('--json', 'print JSON')
    .action(async (id: Hex, options: { network?: string; json?: true }) => {
      const audit = await auditBatch(networkFor(options.network), id)
      const { file, faults, state } = audit
      const ok = file.outcome !== 'failed' && faults.length === 0 && state !== BATCH_STATE.void
      if (options.json === true) {
        context.output.out(toJsonText({ ok, ...audit, unit: 'OPG base units (10^-18 OPG)' }))
      } else context.output.out(describeAudit(audit))
      context.exit(ok ? EXIT.ok : EXIT.failed)
    })
}

function batchId(text: string): Hex {
  const id = text.toLowerCase()
  if (!isHash(id)) throw new InvalidArgumentError('It must be a batch id: 0x and 64 hex digits.')
  return id
}

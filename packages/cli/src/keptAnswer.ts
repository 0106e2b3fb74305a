import { formatOpg } from '@assay/protocol'
import { SdkError } from '@assay/sdk'
import { saveBundle } from './bundleFile.ts'
import { CliError, failureOf } from './cliError.ts'

/**
 * An error behind an answer that is verified and paid for, such as a settlement that takes too long: nobody can ask for
 * that answer again, so it is told with the error and what it cost, and saved where it was to be. Any other error stays what it is.
 * @param asTold the answer as it is to be told; undefined where it was shown already
 */
export function keepAnswer(
  error: unknown,
  { save, asTold }: { save: string | undefined; asTold: (output: unknown) => unknown },
): unknown {
  if (!(error instanceof SdkError) || error.answer === undefined) return error
  const { exitCode, code, message, facts, next } = failureOf(error)
  const { output, bundle } = error.answer
  const answer = asTold(output)
  if (save !== undefined) saveBundle(save, bundle)
  return new CliError(message, {
    exitCode,
    code,
    facts: {
      ...facts,
      price: formatOpg(bundle.receipt.price),
      ...(answer === undefined ? {} : { answer }),
      ...(save === undefined ? {} : { bundle: `${save}: request, answer and receipt, without their batch` }),
    },
    next,
    cause: error,
  })
}

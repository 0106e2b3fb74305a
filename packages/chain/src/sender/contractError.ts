import { AssayError } from '@assay/protocol'
import { type Abi, BaseError, ContractFunctionRevertedError, decodeErrorResult, type Hex, isHex } from 'viem'

/** Nodes answer with whole traces at times; nobody reads more than this of one. */
const MAX_REASON_LENGTH = 300

/** What the contract said, in words: `Name(arg, …)` of a custom error, or the text of a `require`. */
export function revertReason(error: unknown, abi: Abi): { name: string; text: string } | undefined {
  if (!(error instanceof BaseError)) return undefined
  const decoded = error.walk((cause) => cause instanceof ContractFunctionRevertedError)
  if (decoded instanceof ContractFunctionRevertedError) {
    const name = decoded.data?.errorName ?? 'Error'
    const text =
      decoded.data === undefined ? (decoded.reason ?? decoded.shortMessage) : written(name, decoded.data.args)
    return { name, text: text.slice(0, MAX_REASON_LENGTH) }
  }
  const data = revertData(error)
  if (data !== undefined) return decodeReason(data, abi)
  const reverted = error.walk((cause) => cause instanceof Error && /revert/i.test(cause.message))
  if (reverted === null || isTransportError(error)) return undefined
  return { name: 'Error', text: (error.details || error.shortMessage).slice(0, MAX_REASON_LENGTH) }
}

function decodeReason(data: Hex, abi: Abi): { name: string; text: string } {
  try {
    const { errorName, args } = decodeErrorResult({ abi, data })
    return {
      name: errorName,
      text: written(errorName, args as readonly unknown[]).slice(0, MAX_REASON_LENGTH),
    }
  } catch {
    return { name: data.slice(0, 10), text: `an error this program does not know (${data.slice(0, 10)})` }
  }
}

/** JSON-RPC error data: the revert's bytes, wherever in the chain of causes they stand. */
function revertData(error: BaseError): Hex | undefined {
  let found: Hex | undefined
  error.walk((cause) => {
    const { data } = (cause ?? {}) as { data?: unknown }
    const bytes = typeof data === 'object' && data !== null ? (data as { data?: unknown }).data : data
    if (isHex(bytes) && bytes.length >= 10) found = bytes
    return found !== undefined
  })
  return found
}

function written(name: string, args: readonly unknown[] | undefined): string {
  return `${name}(${(args ?? []).map(String).join(', ')})`
}

/** Whether the chain could not be asked at all, so that nothing is known about the outcome. */
export function isTransportError(error: unknown): boolean {
  if (!(error instanceof BaseError)) return false
  const names = new Set(['HttpRequestError', 'TimeoutError', 'SocketClosedError', 'WebSocketRequestError'])
  return error.walk((cause) => cause instanceof Error && names.has(cause.name)) !== null
}

/** A contract's refusal as the error that callers see; `facts.error` holds the contract error's bare name. */
export function refusal(what: string, reason: { name: string; text: string }, cause?: unknown): AssayError {
  return new AssayError(`The contract refused ${what}: ${reason.text}`, {
    code: 'conflict',
    facts: { error: reason.name },
    cause,
  })
}

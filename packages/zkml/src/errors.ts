/** Stable codes of what this package refuses. */
export type ZkmlErrorCode =
  | 'bad_architecture' // the architecture breaks a rule of the circuit
  | 'bad_model' // weights of the wrong size, or an accumulator that could leave its range
  | 'bad_input' // tensors that do not fit the architecture
  | 'malformed_proof' // bytes missing, left over, or not canonical
  | 'invalid_proof' // a check of the proof system failed
  | 'out_of_memory' // the heap cannot grow to what the proof needs
  | 'kernels_missing' // the WebAssembly kernels were not built
  | 'bad_onnx' // the bytes are no ONNX model, or one beyond the bounds of the reader
  | 'cannot_compile' // the model asks for something that the circuit does not have
  | 'bad_data' // calibration data that does not fit the model
  | 'bad_file' // a compiled model that is truncated, of another version or not canonical

/** An error this package throws on purpose: what happened, the facts, what to do next. */
export class ZkmlError extends Error {
  override readonly name = 'ZkmlError'
  readonly code: ZkmlErrorCode
  readonly facts: Record<string, unknown>
  /** The first line alone, without facts. */
  readonly shortMessage: string
  readonly next: string | undefined

  constructor(code: ZkmlErrorCode, message: string, facts: Record<string, unknown> = {}, next?: string) {
    const lines = [message, ...Object.entries(facts).map(([name, value]) => `  ${name}: ${String(value)}`)]
    if (next !== undefined) lines.push(`Next: ${next}`)
    super(lines.join('\n'))
    this.code = code
    this.facts = facts
    this.shortMessage = message
    this.next = next
  }
}

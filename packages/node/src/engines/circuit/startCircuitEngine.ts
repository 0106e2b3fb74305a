import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { AssayError, cardHash, type ModelManifest, manifestFile, zkEvidenceHash } from '@assay/protocol'
import { circuitHashOf } from '@assay/verify'
import {
  decodeModelCard,
  decodeModelFile,
  decodeOutput,
  encodeInput,
  encodeModelCard,
  inputSize,
  runInference,
  startProver,
  tensorHash,
  ZkmlError,
} from '@assay/zkml'
import { bytesToHex } from 'viem'
import type { Engine } from '../engine.ts'

const EXTENSION = '.azk'

/**
 * A compiled circuit (docs/zkml.md) as an engine: the answer is the plain int8 run, at once; the proof of it is made
 * afterwards in a thread of its own.
 * @param file path of an .azk file, which is called as the model is
 * @throws AssayError `config` where the file is no circuit
 */
export async function startCircuitEngine(file: string): Promise<{ manifest: ModelManifest; engine: Engine }> {
  try {
    const bytes = new Uint8Array(await readFile(file))
    const compiled = decodeModelFile(bytes)
    const { model, input, output } = compiled
    const { architecture } = model.plan
    const prover = await startProver({ architecture, parameters: model.parameters })
    const { weightsRoot } = prover
    const card = encodeModelCard({ architecture, weightsRoot, input, output })
    const decoded = decodeModelCard(card)
    const modelRoot = bytesToHex(decoded.modelRoot)
    const numbers = inputSize(compiled)
    const { channels: outputs } = model.plan.tensors.at(-1) as { channels: number }
    const name = basename(file, EXTENSION)
    const manifest: ModelManifest = {
      name,
      engine: 'circuit',
      files: [manifestFile(basename(file), bytes)],
      // What one answer has at most, which is what it always has.
      contextLength: outputs,
      license: 'NOASSERTION',
      modes: ['zk'],
      card: cardHash(card),
    }
    const engine: Engine = {
      contextLength: outputs,
      concurrency: 1,
      engineClass: 0,
      features: new Set(['infer']),
      native: new Set(),
      prepare(work) {
        if (work.kind !== 'tensor') throw new Error('unreachable: no feature of this engine admits it')
        if (work.values.length !== numbers) {
          const message = `\`input\` must hold the ${numbers} numbers that ${name} takes, not ${work.values.length}.`
          return { unsupported: { message, param: 'input' } }
        }
        return {
          inputUnits: numbers,
          async run({ emit }) {
            const encoded = encodeInput(compiled, work.values)
            const tensor = runInference(model, encoded)
            emit({ type: 'tensor', tensor, output: decodeOutput(compiled, tensor) }, outputs)
            const evidenceHash = zkEvidenceHash({
              modelRoot,
              inputHash: bytesToHex(tensorHash(encoded)),
              outputHash: bytesToHex(tensorHash(tensor)),
            })
            return { inputUnits: numbers, outputUnits: outputs, evidenceHash }
          },
        }
      },
      prover: {
        card,
        weightsHash: circuitHashOf(decoded),
        async prove(values) {
          const { proof, tape } = await prover.prove(encodeInput(compiled, values))
          return { proof, tape: bytesToHex(tape) }
        },
      },
      close: () => prover.close(),
    }
    return { manifest, engine }
  } catch (cause) {
    if (!(cause instanceof ZkmlError) && (cause as NodeJS.ErrnoException).code === undefined) throw cause
    throw new AssayError('A circuit cannot be loaded.', {
      code: 'config',
      facts: { file, why: cause instanceof ZkmlError ? cause.shortMessage : (cause as Error).message },
      next: 'Name .azk files in ASSAY_CIRCUITS; assay zk compile makes them.',
      cause,
    })
  }
}

import { execFile } from 'node:child_process'
import { AssayError, type GpuEvidence, HARDWARE_NVIDIA_GPU } from '@assay/protocol'
import { NVIDIA_ROOT_HASH, parseGpuEvidence, type TrustedRoot } from '@assay/verify'
import type { Hex } from 'viem'
import type { GpuSource } from './attester.ts'

/** ms; a GPU signs within a second or two, eight are asked one after the other. */
const TIMEOUT_MS = 60_000
/** Eight H100 make 100 KB. */
const MAX_OUTPUT_BYTES = 1_048_576

/**
 * GPUs that a program asks: NVIDIA's driver is reached by NVIDIA's own library alone, and its tools print what it gives.
 * The program is called with the nonce, 64 hex digits, as its only argument, without a shell, and prints the list that
 * `parseGpuEvidence` reads.
 * @throws AssayError `unreachable` where it fails, `malformed` where it prints something else
 */
export function nvidiaToolGpus({
  program,
  roots = [{ rootHash: NVIDIA_ROOT_HASH, hardwareType: HARDWARE_NVIDIA_GPU }],
  timeoutMs = TIMEOUT_MS,
}: {
  program: string
  /** Default NVIDIA's. */
  roots?: readonly TrustedRoot[] | undefined
  timeoutMs?: number | undefined
}): GpuSource {
  return {
    roots,
    async ask(nonce: Hex): Promise<GpuEvidence[]> {
      const text = await run(program, nonce.slice(2), timeoutMs)
      try {
        return parseGpuEvidence(text).map(({ evidence }) => evidence)
      } catch (cause) {
        throw new AssayError('The program that asks the GPUs prints no evidence.', {
          code: 'malformed',
          facts: { program, reason: (cause as Error).message.slice(0, 200) },
          next: 'See what it has to print: docs/run-in-tee.md',
          cause,
        })
      }
    },
  }
}

function run(program: string, nonce: string, timeout: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { encoding: 'utf8', timeout, maxBuffer: MAX_OUTPUT_BYTES, killSignal: 'SIGKILL' } as const
    execFile(program, [nonce], options, (cause, stdout, stderr) => {
      if (cause === null) return resolve(stdout)
      const reason = (stderr.trim().split('\n').at(-1) || cause.message).slice(0, 200)
      reject(
        new AssayError('The program that asks the GPUs failed.', {
          code: 'unreachable',
          facts: { program, reason },
          next: 'Check ASSAY_GPU_EVIDENCE: docs/run-in-tee.md',
          cause,
        }),
      )
    })
  })
}

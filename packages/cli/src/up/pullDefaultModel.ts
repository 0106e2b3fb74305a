import type { PulledModel } from '@assay/node'
import type { Home } from '../home.ts'
import { type Progress, progressBar } from './progress.ts'

/** Folder of verified weights: `ASSAY_MODEL_CACHE`, else in the home. */
export function modelCache(home: Home, environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment.ASSAY_MODEL_CACHE
  return given === undefined || given === '' ? home.data('models') : given
}

/** Fetches the default model's weights with a progress bar; at once where they are in the cache. */
export async function pullDefaultModel(home: Home, progress: Progress): Promise<PulledModel> {
  // Loaded here and not above: the inference library takes half a second that `assay chat` must not pay.
  const { pullModel, SMOLLM2_MANIFEST } = await import('@assay/node')
  return progress.step(
    'model',
    (detail) =>
      pullModel({
        cacheDir: modelCache(home),
        onProgress({ source, state, bytes, total }) {
          if (state === 'downloading') detail(`${progressBar(bytes, total)} from ${source}`)
          else if (state === 'trying') detail(`looking at: ${source}`)
          else if (state === 'verifying') detail(`checking the SHA-256 (${source})`)
        },
      }),
    ({ source }) => `${SMOLLM2_MANIFEST.name}, from ${source}, SHA-256 checked`,
  )
}

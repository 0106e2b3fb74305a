import { INFERENCE_PATHS } from '@assay/protocol'

/** Whether a path answers with a receipt; everything else (models, receipts, health) passes untouched. */
export function isPaidPath(path: string): boolean {
  return Object.hasOwn(INFERENCE_PATHS, path) || path === '/v1/infer'
}

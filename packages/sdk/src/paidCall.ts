import { INFERENCE_PATHS } from '@assay/protocol'

/** Whether a call is paid for and its answer checked; everything else (models, receipts, health) passes untouched. */
export function isPaidCall(method: string, pathname: string): boolean {
  return method === 'POST' && (Object.hasOwn(INFERENCE_PATHS, pathname) || pathname === '/v1/infer')
}

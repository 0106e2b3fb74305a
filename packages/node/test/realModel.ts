import { AssayError } from '@assay/protocol'
import { pullModel } from '../src/models/pullModel.ts'

const pulled = await pullModel({
  cacheDir: new URL('../../../.assay/models', import.meta.url).pathname,
}).catch((error: AssayError) => error)

/** The development model's weights, or why the tests that need them are skipped. */
export const smollm2: { path: string; skip: string | false } =
  pulled instanceof AssayError ? { path: '', skip: pulled.message } : { path: pulled.path, skip: false }

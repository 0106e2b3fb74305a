import type { ModelManifest } from '@assay/protocol'
import type { Hex } from 'viem'
import type { Engine } from '../engines/engine.ts'
import type { Queue } from '../queue.ts'

/** A model that this node answers for. */
export type ServedModel = { modelId: Hex; manifest: ModelManifest; engine: Engine; queue: Queue }

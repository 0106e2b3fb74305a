import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJsonBytes, type Evidence, evidenceToJson } from '@assay/protocol'
import { type Hex, keccak256 } from 'viem'

/**
 * Registration evidence by its hash. Kept for good: a receipt of an earlier boot is audited with the evidence of its
 * own key.
 */
export type EvidenceStore = {
  /** Durable when it returns; gives the hash that is registered. */
  save: (evidence: Evidence) => Promise<Hex>
  /** Canonical JSON, the very bytes under the hash. */
  find: (evidenceHash: Hex) => Promise<Uint8Array | undefined>
}

export async function openEvidenceStore(dir: string): Promise<EvidenceStore> {
  const folder = join(dir, 'evidence')
  await mkdir(folder, { recursive: true })
  return {
    async save(evidence) {
      const bytes = canonicalJsonBytes(evidenceToJson(evidence))
      const evidenceHash = keccak256(bytes)
      const path = join(folder, `${evidenceHash}.json`)
      const handle = await open(`${path}.tmp`, 'w')
      await handle.writeFile(bytes)
      await handle.sync()
      await handle.close()
      await rename(`${path}.tmp`, path)
      return evidenceHash
    },
    async find(evidenceHash) {
      // The hash becomes part of a path: nothing but 32 bytes of hex may pass.
      if (!/^0x[0-9a-f]{64}$/.test(evidenceHash)) return undefined
      return readFile(join(folder, `${evidenceHash}.json`)).catch(() => undefined)
    },
  }
}

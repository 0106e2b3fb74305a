/**
 * Writes packages/protocol/vectors/*.json: inputs and expected outputs of every item of docs/spec.md, from fixed keys.
 *   node packages/protocol/scripts/writeVectors.ts
 * `vectors()` gives the same files as text, so that a test can tell whether those in the repository are up to date.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalJson, manifestToJson } from '../src/index.ts'
import { batches, files, groups, parents, rows, trees } from './vectors/batches.ts'
import { bundles } from './vectors/bundles.ts'
import { enclaves } from './vectors/enclaves.ts'
import { faults } from './vectors/faults.ts'
import { requestHashes, requestIds, responseHashes } from './vectors/http.ts'
import { canonical } from './vectors/json.ts'
import { pricing } from './vectors/pricing.ts'
import { grants, receipts, rejectedSignatures, statements } from './vectors/receipts.ts'
import { tags } from './vectors/tags.ts'
import { deployer, deployment, entropy, manifest, modelId, type Vector } from './vectors/world.ts'

/** File name to text of every vector file. */
export async function vectors(): Promise<Map<string, string>> {
  const contents: Record<string, { [kind: string]: Vector[] }> = {
    'tags.json': { tags: tags() },
    'requestHash.json': { requestHashes: requestHashes() },
    'responseHash.json': { responseHashes: responseHashes() },
    'requestId.json': { requestIds: requestIds() },
    'deployment.json': {
      deployments: [{ chainId: '31337', deployer, entropy, deploymentId: deployment.deploymentId }],
    },
    'receipt.json': { receipts: await receipts() },
    'statements.json': { statements: await statements() },
    'grant.json': { grants: await grants() },
    'signature.json': { rejectedSignatures: await rejectedSignatures() },
    'tree.json': { parents: parents(), rows: await rows(), groups: await groups(), trees: trees() },
    'data.json': { files: files() },
    'batch.json': { batches: await batches() },
    'faultProof.json': { faults: await faults() },
    'enclave.json': enclaves(),
    'canonicalJson.json': canonical(),
    'manifest.json': {
      manifests: [
        { manifest: manifestToJson(manifest), canonical: canonicalJson(manifestToJson(manifest)), modelId },
      ],
    },
    'bundle.json': { bundles: await bundles() },
    'price.json': pricing(),
  }
  return new Map(
    Object.entries(contents).map(([name, content]) => [name, `${JSON.stringify(content, null, 1)}\n`]),
  )
}

if (import.meta.main) {
  for (const [name, text] of await vectors()) {
    writeFileSync(join(import.meta.dirname, '..', 'vectors', name), text)
  }
}

/**
 * Bundles the verifier for browsers with esbuild and prints what it weighs.
 *   node packages/verify/scripts/browserBundle.ts
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const source = join(import.meta.dirname, '../src')

/** Everything that looks at evidence of Nitro, SEV-SNP and NVIDIA, and at receipts; TDX and its collateral apart. */
const WITHOUT_TDX = ['nitro', 'nvidia', 'snp']
  .map((kind) => `export * from ${JSON.stringify(join(source, `tee/${kind}/index.ts`))}`)
  .join('\n')
const WHOLE = `export * from ${JSON.stringify(join(source, 'index.ts'))}`

export type BrowserBundle = {
  /** Script that sets `globalThis.AssayVerify`. */
  script: string
  bytes: number
  gzipBytes: number
}

/** Bundles as a page would load it: minified, for browsers, without node's modules. */
export async function bundleForBrowser(what: 'withoutTdx' | 'whole'): Promise<BrowserBundle> {
  const { outputFiles } = await build({
    stdin: { contents: what === 'whole' ? WHOLE : WITHOUT_TDX, resolveDir: source, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    globalName: 'AssayVerify',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  })
  const script = outputFiles[0]?.text ?? ''
  return { script, bytes: script.length, gzipBytes: gzipSync(script, { level: 9 }).length }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const what of ['withoutTdx', 'whole'] as const) {
    const { bytes, gzipBytes } = await bundleForBrowser(what)
    console.log(`${what}: ${(bytes / 1024).toFixed(1)} KiB, ${(gzipBytes / 1024).toFixed(1)} KiB gzip`)
  }
}

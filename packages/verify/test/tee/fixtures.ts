import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(
  process.env.ASSAY_FIXTURES ?? join(import.meta.dirname, '../../../../../shared/fixtures'),
  'tee',
)

/** For `skip`: recorded evidence is kept beside the project, not in it. */
export function missingFixtures(kind: 'nitro' | 'snp' | 'nvidia' | 'tdx'): string | false {
  return existsSync(join(folder, kind)) ? false : 'recorded evidence is not on this machine'
}

export const fixture = (path: string): Uint8Array => new Uint8Array(readFileSync(join(folder, path)))
export const fixtureText = (path: string): string => readFileSync(join(folder, path), 'utf8')

/** DER of each certificate of a recorded PEM file, in its order. */
export function pemFixture(path: string): Uint8Array[] {
  return [...fixtureText(path).matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END/g)].map(
    ([, body]) => new Uint8Array(Buffer.from((body as string).replace(/\s/g, ''), 'base64')),
  )
}

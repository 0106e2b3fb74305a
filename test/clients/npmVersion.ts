import { readFileSync } from 'node:fs'
import path from 'node:path'

/** Version of an installed package, read where it lies: not every package lets its `package.json` be imported. */
export function npmVersion(name: string): string {
  const file = path.resolve(import.meta.dirname, '..', '..', 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** The Python checker, written from docs/spec.md alone, agrees with this implementation, and can disagree. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { specCheck } from './specCheck.ts'
import { temporaryFolder } from './temporaryFolder.ts'

const root = resolve(import.meta.dirname, '..')
const vectors = join(root, 'packages', 'protocol', 'vectors')
const folder = temporaryFolder('spec')
const first = specCheck('vectors')
const { skip } = first

test('every vector agrees', { skip }, () => {
  assert.equal(first.status, 0, first.output)
  const agreed = Number(/^(\d+) vectors agree$/m.exec(first.output)?.[1])
  const files = ['tags', 'batch', 'receipt', 'tree', 'canonicalJson'].map((name) =>
    join(vectors, `${name}.json`),
  )
  const least = files.flatMap((file) =>
    Object.values(JSON.parse(readFileSync(file, 'utf8')) as object).flat(),
  ).length
  assert.ok(agreed > least, first.output)
})

test('a changed expectation is noticed, in the file and place where it stands', { skip }, () => {
  const copy = join(folder, 'vectors')
  cpSync(vectors, copy, { recursive: true })
  const file = join(copy, 'receipt.json')
  const content = JSON.parse(readFileSync(file, 'utf8')) as { receipts: { leaf: string }[] }
  const entry = content.receipts[2]
  assert.ok(entry)
  entry.leaf = entry.leaf.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
  writeFileSync(file, JSON.stringify(content))
  const { status, output } = specCheck('vectors', copy)
  assert.equal(status, 1)
  assert.match(output, /receipt\.json receipts\[2\].*leaf/)
})

test('a bundle is checked against the network file, and any part of it can fail', { skip }, () => {
  type Vector = { bundle: string; deployment: { chainId: string; settlement: string; deploymentId: string } }
  const { bundles } = JSON.parse(readFileSync(join(vectors, 'bundle.json'), 'utf8')) as { bundles: Vector[] }
  const vector = bundles[0]
  assert.ok(vector)
  const network = join(folder, 'network.json')
  const write = (settlement: string) =>
    writeFileSync(network, JSON.stringify({ ...vector.deployment, contracts: { Settlement: settlement } }))
  const file = join(folder, 'bundle.json')
  const checked = (text: string) => {
    writeFileSync(file, text)
    return specCheck('bundle', file, '--network', network)
  }
  write(vector.deployment.settlement)
  const good = checked(vector.bundle)
  assert.equal(good.status, 0, good.output)
  assert.match(good.output, /agrees: leaf, inclusion and batch id/)

  const bundle = JSON.parse(vector.bundle) as Record<string, Record<string, string | { sum: string }[]>>
  const changed = (member: string, name: string, value: unknown) =>
    JSON.stringify({ ...bundle, [member]: { ...bundle[member], [name]: value } })
  for (const [text, reason] of [
    [changed('request', 'body', 'e30='), /request hash/],
    [changed('response', 'body', 'e30='), /response hash/],
    [changed('receipt', 'seq', '99'), /signer of the receipt/],
    [changed('inclusion', 'sum', '1'), /root, sum, exposure and count/],
    [changed('inclusion', 'height', '9'), /batch id/],
    [`${vector.bundle}\n`, /canonical/],
  ] as const) {
    const { status, output } = checked(text)
    assert.equal(status, 1, output)
    assert.match(output, reason)
  }
  write(`0x${'12'.repeat(20)}`)
  assert.equal(checked(vector.bundle).status, 1)
})

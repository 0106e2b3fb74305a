/** `assay zk` from an ONNX file to a verified proof, and what it says about files that are wrong. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { decodeVeiledProofFile } from '@assay/zkml/verifier'
import { runCli } from '../src/index.ts'

const MODELS = path.resolve(import.meta.dirname, '../../zkml/models')
const ONNX = path.join(MODELS, 'payments-mlp-4k.onnx')
const DATA = path.join(MODELS, 'payments.json')

let folder: string
const at = (name: string) => path.join(folder, name)

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const output = {
    out: (text: string) => {
      out += text
    },
    err: (text: string) => {
      err += text
    },
    isTerminal: false,
  }
  const code = await runCli(['zk', ...args], output)
  return { code, out, err }
}

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-zk-'))
  const compiled = await run('compile', ONNX, '--calibrate', DATA, '-o', at('model.azk'), '--json')
  assert.equal(compiled.code, 0, compiled.err)
  const proved = await run('prove', at('model.azk'), '--input', DATA, '--index', '7', '-o', at('proof.azp'))
  assert.equal(proved.code, 0, proved.err)
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('compile says the root, what is not proved, and what quantisation costs', async () => {
  const { code, out } = await run('compile', ONNX, '--calibrate', DATA, '-o', at('again.azk'), '--json')
  assert.equal(code, 0)
  const result = JSON.parse(out)
  assert.match(result.modelRoot, /^0x[0-9a-f]{64}$/)
  assert.equal(result.output.activation, 'sigmoid')
  assert.equal(result.accuracy.samples, 500)
  assert.ok(result.accuracy.agreement > 0.99)
  assert.deepEqual(
    readFileSync(at('again.azk')),
    readFileSync(at('model.azk')),
    'compiling repeats byte by byte',
  )
  const { out: text } = await run('compile', ONNX, '--calibrate', DATA, '-o', at('again.azk'))
  assert.match(text, /not proved +sigmoid/)
})

test('accuracy is not claimed on the data of the calibration', async () => {
  const { inputs } = JSON.parse(readFileSync(DATA, 'utf8'))
  writeFileSync(at('inputs.json'), JSON.stringify(inputs.slice(0, 50)))
  const { out } = await run('compile', ONNX, '--calibrate', at('inputs.json'), '-o', at('again.azk'))
  assert.match(out, /accuracy +not measured/)
})

/** The proof, compared with the model and with an input of the data. */
const verifyFor = (index: string) =>
  run('verify', at('proof.azp'), '--model', at('model.azk'), '--input', DATA, '--index', index)

test('a proof verifies for its model and input; what was not compared is skipped', async () => {
  const full = await verifyFor('7')
  assert.equal(full.code, 0)
  assert.equal(full.out.match(/✓/g)?.length, 4)
  const bare = JSON.parse((await run('verify', at('proof.azp'), '--json')).out)
  assert.equal(bare.ok, true)
  assert.deepEqual(
    bare.steps.map((step: { outcome: string }) => step.outcome),
    ['passed', 'skipped', 'skipped'],
  )
  const rooted = await run(
    'verify',
    at('proof.azp'),
    '--root',
    bare.modelRoot.toUpperCase().replace('0X', '0x'),
  )
  assert.equal(rooted.code, 0)
})

test('another input, another root and a changed byte fail with code 1', async () => {
  const other = await verifyFor('8')
  assert.equal(other.code, 1)
  assert.match(other.out, /✗ input/)
  assert.equal((await run('verify', at('proof.azp'), '--root', `0x${'ab'.repeat(32)}`)).code, 1)
  const bytes = readFileSync(at('proof.azp'))
  bytes[bytes.length - 2000] = (bytes[bytes.length - 2000] as number) ^ 1
  writeFileSync(at('changed.azp'), bytes)
  const changed = await run('verify', at('changed.azp'))
  assert.equal(changed.code, 1)
  assert.match(changed.out, /✗ proof[\s\S]*NOT verified/)
})

const proveHiding = (out: string, ...args: string[]) =>
  run('prove', at('model.azk'), '--input', DATA, '--index', '7', '-o', at(out), '--hiding', ...args)

test('a proof that hides says so, verifies by its root, and by weights and masks', async () => {
  const proved = await proveHiding('hiding.azp', '--proofs', '3', '--json')
  assert.equal(proved.code, 0, proved.err)
  const { kind, modelRoot, output } = JSON.parse(proved.out)
  assert.equal(kind, 'zk')
  const plain = JSON.parse((await run('verify', at('proof.azp'), '--json')).out)
  assert.deepEqual(output, plain.output)
  assert.notEqual(modelRoot, plain.modelRoot)
  const rooted = await run('verify', at('hiding.azp'), '--root', modelRoot)
  assert.equal(rooted.code, 0)
  assert.match(rooted.out, /hides +weights and intermediate values, from whoever has proofs only \(zk\)/)
  assert.match((await run('verify', at('proof.azp'))).out, /hides +nothing: it convinces/)
  const model = ['--model', at('model.azk'), '--input', DATA, '--index', '7']
  const full = await run('verify', at('hiding.azp'), ...model, '--veil', at('model.azk.veil'))
  assert.equal(full.out.match(/✓/g)?.length, 4, full.out)
  const withoutMasks = JSON.parse((await run('verify', at('hiding.azp'), ...model, '--json')).out)
  assert.deepEqual(
    withoutMasks.steps.map((step: { outcome: string }) => step.outcome),
    ['passed', 'skipped', 'passed'],
  )
  const bytes = readFileSync(at('hiding.azp'))
  bytes[bytes.length - 9000] = (bytes[bytes.length - 9000] as number) ^ 1
  writeFileSync(at('changed.azp'), bytes)
  assert.equal((await run('verify', at('changed.azp'))).code, 1)
})

test('a hidden input is shown by its opening, and by no other', async () => {
  const proved = await proveHiding('input.azp', '--hide-input', '--veil', at('input.veil'))
  assert.equal(proved.code, 0, proved.err)
  assert.equal(statSync(at('input.azp.opening')).mode & 0o777, 0o600)
  const model = ['--model', at('model.azk'), '--input', DATA, '--index']
  const verify = (...args: string[]) => run('verify', at('input.azp'), ...model, ...args)
  const bare = await verify('7')
  assert.equal(bare.code, 0)
  assert.match(bare.out, /– input +it is hidden[\s\S]*hides +input, weights and intermediate values/)
  const opened = await verify('7', '--opening', at('input.azp.opening'))
  assert.equal(opened.code, 0)
  assert.match(opened.out, /✓ input/)
  assert.equal((await verify('8', '--opening', at('input.azp.opening'))).code, 1)
  writeFileSync(at('other.opening'), `{"seed":"0x${'11'.repeat(32)}"}`)
  assert.equal((await verify('7', '--opening', at('other.opening'))).code, 1)
  writeFileSync(at('other.opening'), 'null')
  assert.match((await verify('7', '--opening', at('other.opening'))).err, /no opening of an input/)
})

test('reused mask: each is spent once, by several provers at once too, and none is left at the end', async () => {
  const veil = ['--veil', at('few.veil')]
  const both = await Promise.all([
    proveHiding('one.azp', ...veil, '--proofs', '3'),
    proveHiding('two.azp', ...veil),
  ])
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
  )
  assert.equal((await proveHiding('three.azp', ...veil)).code, 0)
  const uses = ['one', 'two', 'three'].map(
    (name) => decodeVeiledProofFile(readFileSync(at(`${name}.azp`))).statement.use,
  )
  assert.deepEqual(uses.sort(), [0, 1, 2])
  const fourth = await proveHiding('four.azp', ...veil)
  assert.equal(fourth.code, 1)
  assert.match(fourth.err, /All masks of this commitment are spent/)
  assert.equal(existsSync(at('four.azp')), false)
  assert.equal((await proveHiding('four.azp', ...veil, '--proofs', '4')).code, 2)
  assert.equal(statSync(at('few.veil/veil.json')).mode & 0o777, 0o600)
})

test('masks that are not ours, and masks without --hiding, are refused', async () => {
  for (const proofs of ['0', '65'])
    assert.equal((await proveHiding('bad.azp', '--veil', at('new.veil'), '--proofs', proofs)).code, 2)
  assert.equal(existsSync(at('new.veil')), false)
  mkdirSync(at('bad.veil'))
  for (const content of [
    '',
    'null',
    '{}',
    '{"seed":"0x12","proofs":3}',
    `{"seed":"0x${'00'.repeat(32)}","proofs":0}`,
  ]) {
    writeFileSync(at('bad.veil/veil.json'), content)
    const { code, err } = await proveHiding('bad.azp', '--veil', at('bad.veil'))
    assert.equal(code, 1)
    assert.match(err, /masks of the model/)
  }
  const { code } = await run('prove', at('model.azk'), '--input', DATA, '-o', at('bad.azp'), '--proofs', '3')
  assert.equal(code, 2)
})

test('bench measures', async () => {
  const hiding = await run('bench', at('model.azk'), '--input', DATA, '--runs', '1', '--hiding', '--json')
  assert.equal(JSON.parse(hiding.out).kind, 'zk')
  assert.ok(JSON.parse(hiding.out).soundnessBits >= 100)
  const { code, out } = await run('bench', at('model.azk'), '--input', DATA, '--runs', '1', '--json')
  assert.equal(code, 0)
  assert.ok(JSON.parse(out).soundnessBits >= 100)
})

const npy = (shape: string, values: Float32Array) => {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`.padEnd(118)
  const head = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'), Buffer.from(header)])
  return Buffer.concat([head, Buffer.from(values.buffer)])
}

test('data may be CSV with a label, or .npy', async () => {
  const { inputs, labels } = JSON.parse(readFileSync(DATA, 'utf8')) as {
    inputs: number[][]
    labels: number[]
  }
  const head = [...(inputs[0] as number[]).map((_, i) => `f${i}`), 'label'].join(',')
  const lines = inputs.slice(0, 40).map((row, i) => [...row, labels[i]].join(','))
  writeFileSync(at('data.csv'), [head, ...lines].join('\n'))
  writeFileSync(at('data.npy'), npy('40, 24', Float32Array.from(inputs.slice(0, 40).flat())))
  const args = ['--calibrate', at('data.npy'), '--test', at('data.csv'), '-o', at('again.azk'), '--json']
  const { code, out, err } = await run('compile', ONNX, ...args)
  assert.equal(code, 0, err)
  assert.ok(JSON.parse(out).accuracy.floatAccuracy > 0.8)
})

const write = (name: string, content: string | Buffer) => () => {
  writeFileSync(at(name), content)
  return at(name)
}

for (const [name, args, code, says] of [
  [
    'an ONNX file that is none',
    () => ['compile', write('a.onnx', 'text')(), '--calibrate', DATA],
    'bad_onnx',
    /protobuf|graph/,
  ],
  [
    'no file at all',
    () => ['compile', at('none.onnx'), '--calibrate', DATA],
    'unreadable',
    /There is no ONNX model/,
  ],
  [
    'data that is no JSON',
    () => ['compile', ONNX, '--calibrate', write('b.json', '{')()],
    'bad_data',
    /no JSON/,
  ],
  [
    'data with words in it',
    () => ['compile', ONNX, '--calibrate', write('c.json', '[["a"]]')()],
    'bad_data',
    /no number/,
  ],
  [
    'data of another size',
    () => ['compile', ONNX, '--calibrate', write('d.json', '[[1,2,3]]')()],
    'bad_data',
    /wrong number/,
  ],
  [
    'a CSV with a short line',
    () => ['compile', ONNX, '--calibrate', write('e.csv', '1,2\n3')()],
    'bad_data',
    /row of numbers/,
  ],
  [
    'a .npy that is cut',
    () => ['compile', ONNX, '--calibrate', write('f.npy', npy('9, 9', new Float32Array(3)))()],
    'bad_data',
    /as many/,
  ],
  [
    'an output that does not exist',
    () => ['compile', ONNX, '--calibrate', DATA, '--output', 'nowhere'],
    'bad_onnx',
    /no node makes/,
  ],
  [
    'a model that is a proof',
    () => ['prove', at('proof.azp'), '--input', DATA],
    'bad_file',
    /no compiled model/,
  ],
  [
    'a sample past the end',
    () => ['prove', at('model.azk'), '--input', DATA, '--index', '999'],
    'bad_data',
    /no such sample/,
  ],
  ['a proof that is a model', () => ['verify', at('model.azk')], 'bad_file', /no proof/],
  ['a root that is none', () => ['verify', at('proof.azp'), '--root', '0x12'], 'usage', /64 hex digits/],
  [
    'an input without its model',
    () => ['verify', at('proof.azp'), '--input', DATA],
    'usage',
    /compiled model is needed/,
  ],
] as const) {
  test(`${name}: ${code}, said in one line`, async () => {
    const plain = await run(...args())
    assert.notEqual(plain.code, 0)
    assert.match(plain.err, says)
    assert.doesNotMatch(plain.err, / at .*\.ts:/)
    const json = await run(...args(), '--json')
    assert.equal(JSON.parse(json.out).error.code, code)
  })
}

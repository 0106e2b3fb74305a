import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { type Browser, chromium } from 'playwright-core'
import { bundleForBrowser } from '../../scripts/browserBundle.ts'
import { missingFixtures } from './fixtures.ts'
import { type RecordedEvidence, recordedNitro, recordedSnp, simulatedEvidence } from './recordedEvidence.ts'

const MAX_GZIP_BYTES = 250 * 1024
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = [process.env.CHROMIUM ?? '', ...BROWSERS].find(
  (path) => path !== '' && existsSync(path),
)

const whole = await bundleForBrowser('whole')
const withoutTdx = await bundleForBrowser('withoutTdx')

test('the verifier fits a page', (t) => {
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB gzip`
  t.diagnostic(`without TDX ${kib(withoutTdx.gzipBytes)}, whole ${kib(whole.gzipBytes)}`)
  assert.ok(withoutTdx.gzipBytes < MAX_GZIP_BYTES)
  assert.ok(withoutTdx.bytes < whole.bytes)
})

/** What a page needs to ask the bundle, with bytes as base64: functions and bigints do not cross into a page. */
type Question = {
  call: 'verifyNitro' | 'verifySnp'
  parts: string[]
  now: string
  roots: unknown
  policy: unknown
}
type Answer = { verdict: string; failed: string[]; milliseconds: number }

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

function questionOf(evidence: RecordedEvidence): Question {
  const { roots, now } = evidence.parameters as { roots: unknown; now: bigint }
  const common = { roots, now: now.toString(), policy: undefined }
  if (evidence.kind === 'nitro') {
    return { ...common, call: 'verifyNitro', parts: [base64(evidence.document)] }
  }
  if (evidence.kind !== 'snp') throw new Error('of no use here')
  const { report, certificates } = evidence.evidence
  const { policy } = evidence.parameters
  return { ...common, call: 'verifySnp', parts: [report, ...certificates].map(base64), policy }
}

async function ask(browser: Browser, script: string, question: Question): Promise<Answer> {
  const page = await browser.newPage()
  try {
    await page.addScriptTag({ content: script })
    return await page.evaluate(({ call, parts, now, roots, policy }): Answer => {
      type Verify = (
        evidence: unknown,
        parameters: unknown,
      ) => {
        verdict: string
        steps: { name: string; outcome: string }[]
      }
      const library = (globalThis as unknown as { AssayVerify: Record<string, Verify> }).AssayVerify
      const [first, ...rest] = parts.map((part) => Uint8Array.from(atob(part), (char) => char.charCodeAt(0)))
      const evidence = call === 'verifyNitro' ? first : { report: first, certificates: rest }
      const started = performance.now()
      const report = (library[call] as Verify)(evidence, { roots, now: BigInt(now), policy })
      const milliseconds = performance.now() - started
      const failed = report.steps.filter((step) => step.outcome === 'failed').map((step) => step.name)
      return { verdict: report.verdict, failed, milliseconds }
    }, question)
  } finally {
    await page.close()
  }
}

test('headless Chromium verifies Nitro and SEV-SNP evidence, and refuses it when changed', {
  skip: executablePath === undefined ? 'Chromium is not installed; scripts/chromium.sh installs it' : false,
}, async (t) => {
  const browser = await chromium.launch({
    executablePath: executablePath as string,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    timeout: 300_000,
  })
  t.after(() => browser.close())
  const evidence = (await simulatedEvidence()).filter(({ kind }) => kind === 'nitro' || kind === 'snp')
  if (missingFixtures('nitro') === false) evidence.push(...recordedNitro())
  if (missingFixtures('snp') === false) evidence.push(...recordedSnp())
  for (const one of evidence) {
    const question = questionOf(one)
    const { verdict, failed, milliseconds } = await ask(browser, withoutTdx.script, question)
    assert.deepEqual([verdict, failed], ['accepted', []], one.name)
    t.diagnostic(`${one.name}: accepted in ${milliseconds.toFixed(0)} ms`)
    const changed = Buffer.from(question.parts[0] as string, 'base64')
    const middle = one.kind === 'nitro' ? changed.length - 1 : 0x90
    changed[middle] = (changed[middle] as number) ^ 1
    const parts = [changed.toString('base64'), ...question.parts.slice(1)]
    assert.deepEqual(await ask(browser, withoutTdx.script, { ...question, parts }).then((a) => a.failed), [
      'signature',
    ])
  }
  const [first] = evidence as [RecordedEvidence]
  assert.equal((await ask(browser, whole.script, questionOf(first))).verdict, 'accepted')
})

/**
 * Reporter of `npm test`: a line per file, every failed and skipped test with its reason, and, where
 * ASSAY_TEST_SUMMARY names a file, the counts and names as JSON for the runner to sum up.
 */
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { inspect } from 'node:util'

const place = (file) => (file === undefined ? '' : relative(process.cwd(), file))

function reasonOf(error) {
  // A file whose process died names no test; how it died is all there is to say.
  if (error?.signal || error?.exitCode)
    return `its process ended with ${error.signal ?? `exit code ${error.exitCode}`}`
  const cause = error?.cause ?? error
  if (cause instanceof Error) return cause.stack ?? cause.message
  return typeof cause === 'string' ? cause : inspect(cause, { depth: 4 })
}

export default async function* reporter(source) {
  const summary = { passed: 0, failed: [], skipped: [] }
  const files = new Map()
  const countOf = (file) => {
    const count = files.get(file) ?? { passed: 0, failed: 0, skipped: 0 }
    files.set(file, count)
    return count
  }
  for await (const { type, data } of source) {
    if (type === 'test:stderr' || type === 'test:stdout') {
      yield data.message
    } else if (type === 'test:pass' || type === 'test:fail') {
      if (data.details?.type === 'suite') continue
      const file = place(data.file)
      const count = countOf(file)
      const waived = data.skip ?? data.todo
      if (waived !== undefined && waived !== false) {
        count.skipped++
        const reason = typeof waived === 'string' && waived !== '' ? waived : 'no reason given'
        summary.skipped.push({ file, name: data.name, reason })
        yield `- ${file}: ${data.name} skipped: ${reason}\n`
      } else if (type === 'test:pass') {
        count.passed++
        summary.passed++
      } else {
        // A test that only fails because a subtest did is already named by that subtest.
        if (data.details?.error?.failureType === 'subtestsFailed' && count.failed > 0) continue
        count.failed++
        const reason = reasonOf(data.details?.error)
        summary.failed.push({ file, name: data.name, reason })
        yield `✗ ${file}: ${data.name}\n${reason.replace(/^/gm, '    ')}\n`
      }
    } else if (type === 'test:summary' && data.file !== undefined) {
      const file = place(data.file)
      const { passed, failed, skipped } = countOf(file)
      const seconds = (data.duration_ms / 1000).toFixed(1)
      yield `${failed > 0 ? '✗' : '✓'} ${file}: ${passed} passed, ${failed} failed, ${skipped} skipped (${seconds} s)\n`
    }
  }
  if (process.env.ASSAY_TEST_SUMMARY) writeFileSync(process.env.ASSAY_TEST_SUMMARY, JSON.stringify(summary))
}

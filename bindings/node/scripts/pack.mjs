#!/usr/bin/env node
// pack FOLDER [LIBRARY]: makes the npm package in FOLDER, with the library (that of ../../target/release
// unless told) inside, so that installing it builds nothing.
//
// ffi-napi and ref-napi come within the package, without their install scripts and sources: npm
// would try to compile these where Node is newer than they are, and fail, though the binaries that
// they bring work.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const [folder, library = path.join(root, '../../target/release/librouet.so')] = process.argv.slice(2);
if (!folder) {
  console.error('Usage: pack FOLDER [LIBRARY]');
  process.exit(2);
}
/** What the package is for: the library in it is this machine's. */
const PLATFORM = `${process.platform}-${process.arch}`;
/** Only for compiling. */
const HEADERS = ['node-addon-api', 'get-uv-event-loop-napi-h', 'get-symbol-from-current-process-h'];

const stage = path.join(folder, 'package');
fs.rmSync(stage, { recursive: true, force: true });
fs.mkdirSync(stage, { recursive: true });

const readJson = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const writeJson = (file, value) => fs.writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

for (const file of ['index.js', 'index.mjs', 'index.d.ts', 'index.d.mts', 'lib', 'examples', 'README.md']) {
  fs.cpSync(path.join(root, file), path.join(stage, file), { recursive: true });
}
for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) {
  fs.copyFileSync(path.join(root, '../..', licence), path.join(stage, licence));
}
const manifest = readJson(path.join(root, 'package.json'));
delete manifest.devDependencies;
delete manifest.scripts;
manifest.bundleDependencies = Object.keys(manifest.dependencies);
writeJson(path.join(stage, 'package.json'), manifest);

const prebuilds = path.join(stage, 'prebuilds', PLATFORM);
fs.mkdirSync(prebuilds, { recursive: true });
const own = path.join(prebuilds, path.basename(library));
execFileSync('strip', ['--strip-unneeded', '-o', own, library]);

/** Copies a package and what it needs to run. */
function bundle(name) {
  const from = path.join(root, 'node_modules', name);
  const to = path.join(stage, 'node_modules', name);
  if (fs.existsSync(to)) return;
  const leftOut = ['binding.gyp', 'deps', 'src', 'test', 'docs', 'example', 'node_modules'];
  fs.cpSync(from, to, {
    recursive: true,
    filter(file) {
      const [top, platform, binary] = path.relative(from, file).split(path.sep);
      if (top === 'prebuilds') {
        return [undefined, PLATFORM].includes(platform) && !binary?.startsWith('electron');
      }
      // debug has its code in src.
      return !top.startsWith('.') && (name === 'debug' ? top !== 'test' : !leftOut.includes(top));
    },
  });
  const bundled = readJson(path.join(to, 'package.json'));
  delete bundled.scripts;
  delete bundled.devDependencies;
  bundled.gypfile = false;
  for (const header of HEADERS) delete bundled.dependencies?.[header];
  writeJson(path.join(to, 'package.json'), bundled);
  Object.keys(bundled.dependencies ?? {}).forEach(bundle);
}
manifest.bundleDependencies.forEach(bundle);

execFileSync('npm', ['pack', '--silent', '--pack-destination', path.resolve(folder)], { cwd: stage });
console.log(path.resolve(folder, `${manifest.name}-${manifest.version}.tgz`));

declare module "node-gyp-build" {
  const nodeGypBuild: {
    /**
     * Returns the path of an addon in build/Release, build/Debug or this platform's folder in
     * prebuilds/. Throws when there is no addon.
     */
    resolve(packageRoot: string): string;
  };
  export default nodeGypBuild;
}

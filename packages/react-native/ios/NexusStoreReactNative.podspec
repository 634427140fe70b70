require 'json'

package = JSON.parse(File.read(File.join(__dir__, '..', 'package.json')))

Pod::Spec.new do |s|
  s.name           = 'NexusStoreReactNative'
  s.version        = package['version']
  s.summary        = package['description']
  s.license        = package['license']
  s.author         = 'nexus-store'
  s.homepage       = 'https://www.npmjs.com/package/@nexus-store/react-native'
  s.platforms      = { :ios => '16.4' }
  s.swift_version  = '5.9'
  s.source         = { path: '.' }
  s.static_framework = true

  s.dependency 'ExpoModulesCore'
  s.dependency 'ExpoTaskManager'

  s.source_files = '*.swift'
  s.frameworks = 'BackgroundTasks'
  s.pod_target_xcconfig = {
    'DEFINES_MODULE' => 'YES',
    'SWIFT_COMPILATION_MODE' => 'wholemodule'
  }

  s.test_spec 'Tests' do |test_spec|
    # ExpoModulesCore needs a JavaScript engine in tests; this brings one.
    test_spec.dependency 'ExpoModulesTestCore'
    test_spec.source_files = 'Tests/*.swift'
    test_spec.resources = '../mapping-cases.json'
  end
end

<?php
// The SOAP service of the tests on PHP's SoapServer: SOAP_VERSION is 1.1 or 1.2, WSDL the description's path.

final class MailAuthorization
{
    public function Check(object $request): array
    {
        if ($request->Sender === 'fault@example.net') {
            throw new SoapFault(getenv('SOAP_VERSION') === '1.2' ? 'Sender' : 'Client', 'no such account');
        }
        if ($request->Sender === 'alice@example.net') {
            return ['Decision' => 'Permit'];
        }
        return ['Decision' => 'Deny', 'Reason' => "{$request->Sender} may not write to {$request->Recipient}"];
    }
}

$server = new SoapServer(getenv('WSDL'), [
    'soap_version' => getenv('SOAP_VERSION') === '1.2' ? SOAP_1_2 : SOAP_1_1,
    'cache_wsdl' => WSDL_CACHE_NONE,
]);
$server->setClass(MailAuthorization::class);
$server->handle();

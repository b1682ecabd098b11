# The SOAP service of the tests on SOAP::Lite, rpc/encoded: PORT is where it listens. SOAP::Lite puts an object that
# comes twice beside the answer.
use strict;
use warnings;
use utf8;
use SOAP::Transport::HTTP;

package MailAuthorization;

sub check {
    my ( $class, $user, $sender, $recipient ) = @_;
    die SOAP::Fault->faultcode('Client')->faultstring('no such account') if $sender eq 'fault@example.net';
    my %decision = ( verdict => $sender eq 'alice@example.net' ? 'Permit' : 'Deny' );
    if ( $decision{verdict} eq 'Deny' ) {
        my $text   = SOAP::Data->type( string => "$sender may not write to $recipient" );
        my $reason = { text => $text };
        @decision{qw(log reason)} = ( $reason, $reason );
    }
    return SOAP::Data->name( checkReturn => \%decision );
}

package main;

my $server = SOAP::Transport::HTTP::Daemon->new( LocalAddr => '127.0.0.1', LocalPort => $ENV{PORT} );
$server->dispatch_with( { 'urn:example:mail-authorization' => 'MailAuthorization' } );

# Each process serves one connection for as long as that is open.
my @processes;
$SIG{TERM} = sub { kill TERM => @processes; exit };
for ( 1 .. 4 ) {
    my $process = fork // die "fork: $!";
    if ( $process == 0 ) {
        $SIG{TERM} = 'DEFAULT';
        $server->handle;
        exit;
    }
    push @processes, $process;
}
waitpid $_, 0 for @processes;
